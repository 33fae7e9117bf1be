#include "core/owned_change.hpp"

#include <utility>

namespace bitvelocity::core {

namespace {

std::size_t TextOf(Tuple tuple) {
    std::size_t bytes = 0;
    for (const Value& value : tuple) {
        bytes += value.text.size();
    }
    return bytes;
}

}  // namespace

OwnedChange::OwnedChange(const Change& change, std::shared_ptr<const RelationSchema> relation,
                         const Source* source)
    : relation_(std::move(relation)), change_(change) {
    // Views into it stay valid: it never grows again.
    texts_.reserve(TextOf(change.before) + TextOf(change.after) + change.prefix.size() +
                   change.content.size());
    change_.relation = relation_.get();
    change_.identity.source = source;
    KeepTuple(change.before, before_);
    KeepTuple(change.after, after_);
    change_.before = before_;
    change_.after = after_;
    change_.prefix = Keep(change.prefix);
    change_.content = Keep(change.content);
    change_.position = nullptr;
    if (change.context != nullptr) {
        context_ = *change.context;
        change_.context = &context_;
    }
}

std::size_t OwnedChange::bytes() const {
    return sizeof(*this) + texts_.capacity() + (before_.size() + after_.size()) * sizeof(Value);
}

std::string_view OwnedChange::Keep(std::string_view text) {
    const std::size_t at = texts_.size();
    texts_.insert(texts_.end(), text.begin(), text.end());
    return {texts_.data() + at, text.size()};
}

void OwnedChange::KeepTuple(Tuple from, std::vector<Value>& to) {
    to.reserve(from.size());
    for (const Value& value : from) {
        to.push_back({value.kind, Keep(value.text)});
    }
}

std::shared_ptr<const RelationSchema> OwnedRelations::Get(const RelationSchema* relation) {
    if (relation == nullptr) {
        return nullptr;
    }
    std::shared_ptr<const RelationSchema>& kept = relations_[relation->oid];
    if (kept == nullptr || kept->version != relation->version) {
        kept = std::make_shared<RelationSchema>(*relation);
    }
    return kept;
}

}  // namespace bitvelocity::core
