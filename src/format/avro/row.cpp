#include "format/avro/row.hpp"

#include <algorithm>

#include "format/avro/value.hpp"
#include "format/utf8.hpp"

namespace bitvelocity::format::avro {

namespace {

constexpr std::string_view kOutOfRange = "22003";

core::Status NoForm(const core::Change& change, const Field& field, std::string_view what) {
    return core::Status::Fail(
        kOutOfRange,
        "format \"avro\" has no form for " + std::string(what) + " in field \"" + field.name + "\"",
        "Table \"" + change.relation->schema + "." + change.relation->name + "\", column \"" +
            change.relation->columns[*field.column].name + "\".",
        "A derived schema with the option \"avro.extra_fields\" tells it beside the field; a "
        "schema of your own needs a type that has it, such as string.");
}

// A record of columns that are all null is null itself, where it may be.
bool AllNull(const Type& record, core::Tuple tuple) {
    return std::all_of(record.fields.begin(), record.fields.end(), [&](const Field& field) {
        return field.type.kind == Kind::kRecord
                   ? AllNull(field.type, tuple)
                   : !field.column || tuple[*field.column].kind == core::ValueKind::kNull;
    });
}

class Writer {
  public:
    Writer(std::string& out, const core::Change& change, core::Tuple tuple, Extras* extras)
        : out_(out), change_(change), tuple_(tuple), extras_(extras) {}

    core::Status Record(const Type& record) {
        for (const Field& field : record.fields) {
            if (field.type.kind != Kind::kRecord) {
                BV_RETURN_IF_ERROR(Column(field));
                continue;
            }
            if (field.type.nullable) {
                const bool none = AllNull(field.type, tuple_);
                Branch(field.type, !none);
                if (none) {
                    continue;
                }
            }
            BV_RETURN_IF_ERROR(Record(field.type));
        }
        return core::Status::Ok();
    }

  private:
    void Branch(const Type& type, bool value) {
        AppendLong(out_, value != type.null_second ? kValueBranch : kNullBranch);
    }

    core::Status Column(const Field& field) {
        const Type& type = field.type;
        if (!field.column) {
            Branch(type, false);
            return core::Status::Ok();
        }
        const core::Value& value = tuple_[*field.column];
        const std::size_t start = out_.size();
        if (value.kind == core::ValueKind::kText) {
            if (type.nullable) {
                Branch(type, true);
            }
            const Outcome outcome = AppendValue(out_, type, value.text);
            if (outcome == Outcome::kWritten) {
                return core::Status::Ok();
            }
            if (outcome == Outcome::kInvalidUtf8 || !IsUtf8(value.text)) {
                return InvalidEncoding(change_);
            }
            out_.resize(start);
        }
        const bool unchanged = value.kind == core::ValueKind::kUnchanged;
        const bool null = value.kind == core::ValueKind::kNull;
        if (!type.nullable || (!null && extras_ == nullptr)) {
            return NoForm(change_, field,
                          null        ? "null"
                          : unchanged ? "a value that is not in the WAL"
                                      : "\"" + std::string(value.text.substr(0, 64)) + "\"");
        }
        Branch(type, false);
        const std::string_view name = change_.relation->columns[*field.column].name;
        if (unchanged) {
            extras_->unchanged.push_back(name);
        } else if (!null) {
            extras_->texts.emplace_back(name, value.text);
        }
        return core::Status::Ok();
    }

    std::string& out_;
    const core::Change& change_;
    core::Tuple tuple_;
    Extras* extras_;
};

}  // namespace

core::Status AppendRow(std::string& out, const Type& record, const core::Change& change,
                       core::Tuple tuple, Extras* extras) {
    if (extras != nullptr) {
        extras->unchanged.clear();
        extras->texts.clear();
    }
    return Writer(out, change, tuple, extras).Record(record);
}

Json ExtraFields() {
    return Json::parse(R"([
        {"name": "_unchanged", "type": ["null", {"type": "array", "items": "string"}],
         "default": null},
        {"name": "_text", "type": ["null", {"type": "map", "values": "string"}],
         "default": null}])");
}

void AppendExtras(std::string& out, const Extras& extras) {
    AppendLong(out, extras.unchanged.empty() ? kNullBranch : kValueBranch);
    if (!extras.unchanged.empty()) {
        AppendLong(out, static_cast<std::int64_t>(extras.unchanged.size()));
        for (const std::string_view name : extras.unchanged) {
            AppendBytes(out, name);
        }
        AppendLong(out, 0);
    }
    AppendLong(out, extras.texts.empty() ? kNullBranch : kValueBranch);
    if (!extras.texts.empty()) {
        AppendLong(out, static_cast<std::int64_t>(extras.texts.size()));
        for (const auto& [name, text] : extras.texts) {
            AppendBytes(out, name);
            AppendBytes(out, text);
        }
        AppendLong(out, 0);
    }
}

}  // namespace bitvelocity::format::avro
