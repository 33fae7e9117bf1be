#include "format/row_plan.hpp"

#include "format/utf8.hpp"

namespace bitvelocity::format {

RowPlan MakeRowPlan(const core::RelationSchema& relation) {
    RowPlan plan;
    plan.columns.reserve(relation.columns.size());
    for (std::size_t i = 0; i < relation.columns.size(); ++i) {
        const core::Column& column = relation.columns[i];
        plan.columns.push_back({MemberPrefix(column.name), MakeValuePlan(*column.type)});
        if (column.key) {
            plan.identity.push_back(i);
        }
    }
    plan.key = relation.KeyColumns();
    plan.names_valid = NamesAreUtf8(relation);
    return plan;
}

bool WriteRow(JsonWriter& out, const RowPlan& plan, core::Tuple tuple) {
    bool whole = true;
    const std::size_t start = out.size();
    for (std::size_t i = 0; i < tuple.size(); ++i) {
        const core::Value& value = tuple[i];
        const ValuePlan::Field& column = plan.columns[i];
        if (value.kind == core::ValueKind::kText) [[likely]] {
            out.Raw(column.prefix);
            WriteValue(out, column.plan, value.text);
        } else if (value.kind == core::ValueKind::kNull) {
            out.Raw(column.prefix);
            out.Null();
        } else {
            whole = false;
        }
    }
    out.CloseObject(start);
    return whole;
}

void WriteColumns(JsonWriter& out, const RowPlan& plan, const std::vector<std::size_t>& columns,
                  core::Tuple tuple) {
    const std::size_t start = out.size();
    for (const std::size_t i : columns) {
        out.Raw(plan.columns[i].prefix);
        if (tuple[i].kind == core::ValueKind::kText) {
            WriteValue(out, plan.columns[i].plan, tuple[i].text);
        } else {
            out.Null();
        }
    }
    out.CloseObject(start);
}

void WriteBefore(JsonWriter& out, const RowPlan& plan, const core::Change& change) {
    if (change.before_is_key) {
        WriteColumns(out, plan, plan.identity, change.before);
    } else {
        WriteRow(out, plan, change.before);
    }
}

void WriteUnchanged(JsonWriter& out, const RowPlan& plan, core::Tuple tuple) {
    out.Raw('[');
    bool first = true;
    for (std::size_t i = 0; i < tuple.size(); ++i) {
        if (tuple[i].kind == core::ValueKind::kUnchanged) {
            // The prefix is `,"name":`; the name with its quotes is inside.
            const std::string_view prefix = plan.columns[i].prefix;
            out.Raw(prefix.substr(first ? 1 : 0, prefix.size() - (first ? 2 : 1)));
            first = false;
        }
    }
    out.Raw(']');
}

void WriteLogicalMessage(JsonWriter& out, const core::Change& change) {
    out.Raw("{\"prefix\":");
    out.String(change.prefix);
    // Content may be any bytes; text is the common case.
    if (IsUtf8(change.content)) {
        out.Raw(",\"content\":");
        out.String(change.content);
    } else {
        out.Raw(",\"content_base64\":\"");
        out.Base64(change.content);
        out.Raw('"');
    }
    out.Raw('}');
}

bool KeyChanged(const std::vector<std::size_t>& key, const core::Change& change) {
    if (change.operation != core::Operation::kUpdate || change.before.empty()) {
        return false;
    }
    for (const std::size_t i : key) {
        const core::Value& before = change.before[i];
        const core::Value& after = change.after[i];
        if (after.kind != core::ValueKind::kUnchanged &&
            (before.kind != after.kind || before.text != after.text)) {
            return true;
        }
    }
    return false;
}

}  // namespace bitvelocity::format
