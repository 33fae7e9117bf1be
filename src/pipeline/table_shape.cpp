#include "pipeline/table_shape.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>

#include "core/builtin_types.hpp"
#include "core/nearest.hpp"
#include "core/oids.hpp"
#include "pipeline/topic.hpp"

namespace bitvelocity::pipeline {

namespace {

using nlohmann::json;

constexpr std::size_t kLongestMask = 1'000'000;

core::Status Invalid(std::string message, std::string hint = {}, std::string detail = {}) {
    return core::Status::Fail(core::kInvalidParameter, std::move(message), std::move(detail),
                              std::move(hint));
}

std::string Of(const std::string& option, const TableShape& shape) {
    return "option \"" + option + "\" of table \"" + shape.table + "\"";
}

core::Status ReadNames(const std::string& option, const json& value, const TableShape& shape,
                       std::vector<std::string>& names) {
    if (!value.is_array() || value.empty()) {
        return Invalid(Of(option, shape) + " must be a list of column names");
    }
    for (const json& item : value) {
        if (!item.is_string()) {
            return Invalid(Of(option, shape) + " must be a list of column names");
        }
        names.push_back(item.get<std::string>());
        if (std::count(names.begin(), names.end(), names.back()) > 1) {
            return Invalid(Of(option, shape) + " names column \"" + names.back() + "\" twice");
        }
    }
    return core::Status::Ok();
}

core::Status ReadText(const std::string& option, const json& value, const TableShape& shape,
                      std::string& target) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
        return Invalid(Of(option, shape) + " must be a text that is not empty");
    }
    target = value.get<std::string>();
    return core::Status::Ok();
}

constexpr char kMaskHint[] =
    "Masks are \"sha256\", {\"truncate\": characters} and {\"constant\": value}.";

// Nothing: not a mask.
std::optional<Mask> ReadMask(const json& value) {
    Mask mask;
    if (value == "sha256") {
        mask.kind = MaskKind::kSha256;
        return mask;
    }
    if (!value.is_object() || value.size() != 1) {
        return std::nullopt;
    }
    const json& content = value.begin().value();
    if (value.begin().key() == "truncate") {
        if (!content.is_number_unsigned() || content.get<std::uint64_t>() > kLongestMask) {
            return std::nullopt;
        }
        mask.kind = MaskKind::kTruncate;
        mask.length = content.get<std::size_t>();
        return mask;
    }
    if (value.begin().key() != "constant" || content.is_structured()) {
        return std::nullopt;
    }
    mask.kind = content.is_null() ? MaskKind::kNull : MaskKind::kConstant;
    mask.constant = content.is_string() ? content.get<std::string>() : content.dump();
    if (content.is_boolean()) {
        mask.constant = content.get<bool>() ? "t" : "f";  // as the type's output function prints it
        mask.category = 'B';
    } else if (content.is_number()) {
        mask.category = 'N';
    }
    return mask;
}

core::Status ReadMasks(const json& value, TableShape& shape) {
    if (!value.is_object()) {
        return Invalid(Of("mask", shape) + " must be an object of column names", kMaskHint);
    }
    for (const auto& [column, how] : value.items()) {
        const auto mask = ReadMask(how);
        if (!mask) {
            return Invalid("\"" + column + "\" in " + Of("mask", shape) + " is no mask", kMaskHint);
        }
        shape.masks[column] = *mask;
    }
    return core::Status::Ok();
}

const std::set<std::string>& OptionNames() {
    static const std::set<std::string> names{"exclude",     "filter", "include",
                                             "key_columns", "mask",   "topic"};
    return names;
}

core::Status CheckTable(const TableShape& shape) {
    if (!shape.include.empty() && !shape.exclude.empty()) {
        return Invalid("table \"" + shape.table + "\" has both \"include\" and \"exclude\"",
                       "With \"include\" everything else is excluded.");
    }
    for (const auto& [column, mask] : shape.masks) {
        if (std::count(shape.exclude.begin(), shape.exclude.end(), column) > 0) {
            return Invalid("column \"" + column + "\" of table \"" + shape.table +
                           "\" is both excluded and masked");
        }
    }
    return core::Status::Ok();
}

core::Result<TableShape> ReadTable(std::string_view sink, const std::string& table,
                                   const json& options) {
    TableShape shape;
    shape.table = table;
    shape.text = options.dump();
    if (!options.is_object()) {
        return Invalid("option \"tables\" must be an object of objects: table \"" + table + "\"");
    }
    for (const auto& [name, value] : options.items()) {
        if (sink != "kafka" && (name == "topic" || name == "key_columns")) {
            return Invalid(
                Of(name, shape) + " does not apply to the sink \"" + std::string(sink) + "\"",
                "It belongs to the sink \"kafka\".");
        }
        core::Status status;
        if (name == "topic") {
            status = ReadText(name, value, shape, shape.topic);
            if (status.ok()) {
                status = CheckTopicTemplate(shape.topic);
            }
        } else if (name == "key_columns") {
            status = ReadNames(name, value, shape, shape.key_columns);
        } else if (name == "include") {
            status = ReadNames(name, value, shape, shape.include);
        } else if (name == "exclude") {
            status = ReadNames(name, value, shape, shape.exclude);
        } else if (name == "filter") {
            status = ReadText(name, value, shape, shape.filter);
        } else if (name == "mask") {
            status = ReadMasks(value, shape);
        } else {
            status = Invalid("unknown " + Of(name, shape),
                             core::NearestHint(name, OptionNames(), "options of a table"));
        }
        if (!status.ok()) {
            return status;
        }
    }
    core::Status status = CheckTable(shape);
    if (!status.ok()) {
        return status;
    }
    return shape;
}

// Where the columns of a shape are in one version of its table.
class Columns {
  public:
    Columns(const TableShape& shape, const core::RelationSchema& relation)
        : shape_(shape), relation_(relation) {}

    // A name that is taken by another column by now means both: the one of old and the new one.
    [[nodiscard]] std::vector<std::size_t> Find(const std::string& name) const {
        const auto known = shape_.numbers.find(name);
        std::vector<std::size_t> found;
        for (std::size_t i = 0; i < relation_.columns.size(); ++i) {
            const core::Column& column = relation_.columns[i];
            if (column.name == name || (known != shape_.numbers.end() && column.number != 0 &&
                                        column.number == known->second)) {
                found.push_back(i);
            }
        }
        return found;
    }

    // The one column that is meant: a key has no room for two. columns.size(): none.
    [[nodiscard]] std::size_t FindOne(const std::string& name) const {
        const std::vector<std::size_t> found = Find(name);
        const auto known = shape_.numbers.find(name);
        for (const std::size_t i : found) {
            if (found.size() == 1 ||
                (known != shape_.numbers.end() && relation_.columns[i].number == known->second)) {
                return i;
            }
        }
        return relation_.columns.size();
    }

    // Whether a column that is not found is known to be gone, rather than under another name.
    [[nodiscard]] core::Status Missing(const std::string& name, bool naming) const {
        if (naming) {
            std::set<std::string> names;
            for (const core::Column& column : relation_.columns) {
                names.insert(column.name);
            }
            return Invalid("column \"" + name + "\" of table \"" + shape_.table +
                               "\" does not exist or is not in the WAL",
                           core::NearestHint(name, names, "columns"),
                           "The option \"tables\" names it.");
        }
        const bool numbered =
            std::all_of(relation_.columns.begin(), relation_.columns.end(),
                        [](const core::Column& column) { return column.number != 0; });
        if (numbered && shape_.numbers.contains(name)) {
            return core::Status::Ok();
        }
        return core::Status::Fail(
            core::kObjectNotInPrerequisiteState,
            "column \"" + name + "\" of table \"" + relation_.schema + "." + relation_.name +
                "\" is not there under that name",
            "The option \"tables\" shapes it; it was dropped or renamed, and under another name it "
            "would not be hidden. The stream stops rather than send it.",
            "Pass options that fit the table as it is now to alter_stream.");
    }

  private:
    const TableShape& shape_;
    const core::RelationSchema& relation_;
};

void Retype(core::Column& column, const Mask& mask) {
    column.default_expression.clear();  // a value that the mask hides
    static const core::TypePtr kText = core::BuiltinTypes().Get(core::kTextOid);
    if (mask.kind == MaskKind::kNull) {
        column.not_null = false;
        return;
    }
    const char category = mask.kind == MaskKind::kConstant ? mask.category : 'S';
    // A digest fits no length limit; a constant or a piece of a text stays what it was.
    if (category != column.type->category || mask.kind == MaskKind::kSha256) {
        column.type = kText;
        column.typmod = -1;
    }
}

// Rows that share a masked key would overwrite each other.
core::Status CheckKey(const TableShape& shape, const ShapePlan& plan) {
    for (const std::size_t i : plan.relation.KeyColumns()) {
        const MaskKind kind = plan.columns[i].mask.kind;
        if (kind != MaskKind::kNone && kind != MaskKind::kSha256) {
            return Invalid("column \"" + plan.relation.columns[i].name + "\" of table \"" +
                               shape.table + "\" is part of the key and cannot be masked like this",
                           "Mask it with \"sha256\", or name other key_columns.",
                           "Rows with different keys would get the same one.");
        }
    }
    return core::Status::Ok();
}

core::Status ChooseKey(const TableShape& shape, const core::RelationSchema& relation,
                       const Columns& columns, bool naming, ShapePlan& plan) {
    const bool full = relation.replica_identity == core::ReplicaIdentity::kFull;
    for (const std::string& name : shape.key_columns) {
        const std::size_t source = columns.FindOne(name);
        const auto at =
            std::find_if(plan.columns.begin(), plan.columns.end(),
                         [source](const ShapedColumn& column) { return column.source == source; });
        if (at == plan.columns.end()) {
            return core::Status::Fail(
                naming ? core::kInvalidParameter : core::kObjectNotInPrerequisiteState,
                "key column \"" + name + "\" of table \"" + shape.table + "\" is " +
                    (source == relation.columns.size() ? "gone" : "excluded"),
                {}, "Name other key_columns.");
        }
        plan.relation.chosen_key.push_back(static_cast<std::size_t>(at - plan.columns.begin()));
        if (!full && !relation.columns[source].key && plan.key_in_old_row) {
            plan.key_in_old_row = false;
            plan.missing_key = name;
        }
    }
    return core::Status::Ok();
}

core::Status KeepKey(const TableShape& shape, const core::RelationSchema& relation,
                     const ShapePlan& plan, bool naming) {
    for (const std::size_t key : relation.KeyColumns()) {
        if (std::none_of(plan.columns.begin(), plan.columns.end(),
                         [key](const ShapedColumn& column) { return column.source == key; })) {
            return core::Status::Fail(
                naming ? core::kInvalidParameter : core::kObjectNotInPrerequisiteState,
                "column \"" + relation.columns[key].name + "\" of table \"" + shape.table +
                    "\" is part of the key and cannot be excluded",
                {}, "Mask it with \"sha256\", or name other key_columns.");
        }
    }
    return core::Status::Ok();
}

}  // namespace

std::vector<std::string> TableShape::ColumnNames() const {
    std::set<std::string> names(key_columns.begin(), key_columns.end());
    names.insert(include.begin(), include.end());
    names.insert(exclude.begin(), exclude.end());
    for (const auto& [name, mask] : masks) {
        names.insert(name);
    }
    return {names.begin(), names.end()};
}

core::Result<std::vector<TableShape>> ParseTableShapes(std::string_view sink,
                                                       const std::string& options_json) {
    std::vector<TableShape> shapes;
    const json options = json::parse(options_json, nullptr, false);
    if (!options.is_object() || !options.contains("tables")) {
        return shapes;
    }
    const json& tables = options["tables"];
    if (!tables.is_object()) {
        return Invalid("option \"tables\" must be an object of tables",
                       "Write \"tables\": {\"schema.table\": {...}}.");
    }
    for (const auto& [table, content] : tables.items()) {
        auto shape = ReadTable(sink, table, content);
        if (!shape.ok()) {
            return shape.TakeStatus();
        }
        shapes.push_back(std::move(*shape));
    }
    return shapes;
}

bool NeedsSalt(std::span<const TableShape> shapes) {
    return std::any_of(shapes.begin(), shapes.end(), [](const TableShape& shape) {
        return std::any_of(shape.masks.begin(), shape.masks.end(),
                           [](const auto& mask) { return mask.second.kind == MaskKind::kSha256; });
    });
}

const TableShape* FindShape(std::span<const TableShape> shapes,
                            const core::RelationSchema& relation) {
    const TableShape* named = nullptr;
    for (const TableShape& shape : shapes) {
        if (shape.relation == relation.oid) {
            return &shape;
        }
        if (shape.table == relation.schema + "." + relation.name) {
            named = &shape;
        }
    }
    return named;
}

core::Result<ShapePlan> CompileShape(const TableShape& shape, const core::RelationSchema& relation,
                                     bool naming) {
    const Columns columns(shape, relation);
    std::vector<bool> sent(relation.columns.size(), shape.include.empty());
    std::vector<Mask> masks(relation.columns.size());
    for (const std::string& name : shape.ColumnNames()) {
        const std::vector<std::size_t> found = columns.Find(name);
        if (found.empty()) {
            core::Status status = columns.Missing(name, naming);
            if (!status.ok()) {
                return status;
            }
        }
        const auto listed = [&name](const std::vector<std::string>& names) {
            return std::find(names.begin(), names.end(), name) != names.end();
        };
        const auto mask = shape.masks.find(name);
        for (const std::size_t i : found) {
            // A column that only took over the name of an included one was not meant.
            const auto number = shape.numbers.find(name);
            const bool meant = found.size() == 1 || number == shape.numbers.end() ||
                               relation.columns[i].number == number->second;
            sent[i] = (sent[i] || (listed(shape.include) && meant)) && !listed(shape.exclude);
            if (mask != shape.masks.end()) {
                masks[i] = mask->second;
            }
        }
    }
    ShapePlan plan;
    plan.relation = relation;
    plan.relation.columns.clear();
    for (std::size_t i = 0; i < relation.columns.size(); ++i) {
        if (sent[i]) {
            plan.columns.push_back({i, masks[i]});
            plan.relation.columns.push_back(relation.columns[i]);
            if (masks[i].kind != MaskKind::kNone) {
                Retype(plan.relation.columns.back(), masks[i]);
            }
        }
    }
    core::Status status = shape.key_columns.empty()
                              ? KeepKey(shape, relation, plan, naming)
                              : ChooseKey(shape, relation, columns, naming, plan);
    if (status.ok()) {
        status = CheckKey(shape, plan);
    }
    if (!status.ok()) {
        return status;
    }
    return plan;
}

}  // namespace bitvelocity::pipeline
