#include "pipeline/shaper.hpp"

#include <utility>

namespace bitvelocity::pipeline {

namespace {

// Bytes of the first `characters` of a UTF-8 text.
std::size_t Prefix(std::string_view text, std::size_t characters) {
    std::size_t at = 0;
    for (; at < text.size(); ++at) {
        const bool starts = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
        if (starts && characters-- == 0) {
            break;
        }
    }
    return at;
}

}  // namespace

Shaper::Shaper(std::vector<TableShape> shapes, const std::string& salt)
    : shapes_(std::move(shapes)) {
    salted_.Update(salt);
}

core::Status Shaper::Shape(const core::Change& change, const core::Change*& shaped) {
    shaped = &change;
    if (change.relation == nullptr) {
        return core::Status::Ok();
    }
    if (last_ == nullptr || last_->oid != change.relation->oid ||
        last_->version != change.relation->version) {
        last_ = nullptr;
        auto found = Find(*change.relation);
        if (!found.ok()) {
            return found.TakeStatus();
        }
        last_ = *found;
    }
    Table& table = *last_;
    if (!table.shaped) {
        return core::Status::Ok();
    }
    if (!table.plan.key_in_old_row && (change.operation == core::Operation::kDelete ||
                                       change.operation == core::Operation::kUpdate)) {
        return core::Status::Fail(
            core::kObjectNotInPrerequisiteState,
            "key column \"" + table.plan.missing_key + "\" of table \"" + change.relation->schema +
                "." + change.relation->name + "\" is not part of the replica identity",
            "An update or delete does not say which key it had before.",
            "ALTER TABLE ... REPLICA IDENTITY FULL (for changes from then on), or name other "
            "key_columns.");
    }
    change_ = change;
    change_.relation = &table.plan.relation;
    change_.before =
        MakeTuple(table, change.before, change.before_is_key, table.before, table.before_texts);
    change_.after = MakeTuple(table, change.after, false, table.after, table.after_texts);
    shaped = &change_;
    return core::Status::Ok();
}

core::Result<Shaper::Table*> Shaper::Find(const core::RelationSchema& relation) {
    std::unique_ptr<Table>& table = tables_[relation.oid];
    if (table != nullptr && table->version == relation.version) {
        return table.get();
    }
    table = std::make_unique<Table>();
    table->oid = relation.oid;
    const TableShape* shape = FindShape(shapes_, relation);
    if (shape != nullptr) {
        auto plan = CompileShape(*shape, relation, false);
        if (!plan.ok()) {
            return plan.TakeStatus();
        }
        const std::size_t width = plan->columns.size();
        table->shaped = !shape->ColumnNames().empty();
        table->plan = std::move(*plan);
        table->before.resize(width);
        table->after.resize(width);
        table->before_texts.resize(width);
        table->after_texts.resize(width);
    }
    table->version = relation.version;  // only of a plan that was made
    return table.get();
}

core::Tuple Shaper::MakeTuple(const Table& table, core::Tuple tuple, bool key_only,
                              std::vector<core::Value>& values,
                              std::vector<std::string>& texts) const {
    if (tuple.empty()) {
        return {};
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        const ShapedColumn& column = table.plan.columns[i];
        values[i] = tuple[column.source];
        // Of a column that the old row does not tell there is nothing to hide.
        if (column.mask.kind != MaskKind::kNone &&
            !(key_only && !table.plan.relation.columns[i].key)) {
            MakeMasked(column.mask, values[i], texts[i]);
        }
    }
    return values;
}

void Shaper::MakeMasked(const Mask& mask, core::Value& value, std::string& text) const {
    switch (mask.kind) {
        case MaskKind::kConstant:
            value = {core::ValueKind::kText, mask.constant};
            return;
        case MaskKind::kNull:
            value = {};
            return;
        case MaskKind::kTruncate:
            value.text = value.text.substr(0, Prefix(value.text, mask.length));
            return;
        case MaskKind::kSha256:
            if (value.kind == core::ValueKind::kText) {
                core::Sha256 hash = salted_;
                hash.Update(value.text);
                core::WriteHex(text, hash.Finish());
                value.text = text;
            }
            return;
        case MaskKind::kNone:
            return;
    }
}

}  // namespace bitvelocity::pipeline
