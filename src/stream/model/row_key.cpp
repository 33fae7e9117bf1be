#include "stream/model/row_key.hpp"

#include <algorithm>
#include <cstring>

namespace bitvelocity::stream::model {

namespace {

constexpr std::uint32_t kNull = UINT32_MAX;

void AppendLength(std::string& key, std::uint32_t length) {
    key.append(reinterpret_cast<const char*>(&length), sizeof(length));
}

}  // namespace

void RowKeys::Find(const core::RelationSchema& relation) {
    relation_ = &relation;
    version_ = relation.version;
    places_.clear();
    if (whole_ && relation.columns.size() != columns_.size()) {
        return;
    }
    for (const KeyColumn& column : columns_) {
        const auto found = std::find_if(
            relation.columns.begin(), relation.columns.end(), [&column](const core::Column& other) {
                return other.name == column.name && other.type->oid == column.type;
            });
        if (found == relation.columns.end()) {
            places_.clear();
            return;
        }
        places_.push_back(static_cast<std::size_t>(found - relation.columns.begin()));
    }
}

std::optional<std::string> RowKeys::Make(const core::RelationSchema& relation, core::Tuple tuple,
                                         bool key_only) {
    if (relation_ != &relation || version_ != relation.version) {
        Find(relation);
    }
    if (places_.empty() || tuple.size() != relation.columns.size()) {
        return std::nullopt;
    }
    std::string key;
    for (const std::size_t place : places_) {
        const core::Value& value = tuple[place];
        if (value.kind == core::ValueKind::kUnchanged ||
            (key_only && !relation.columns[place].key)) {
            return std::nullopt;
        }
        if (value.kind == core::ValueKind::kNull) {
            AppendLength(key, kNull);
        } else {
            AppendLength(key, static_cast<std::uint32_t>(value.text.size()));
            key += value.text;
        }
    }
    return key;
}

std::vector<std::optional<std::string>> SplitRowKey(std::string_view key) {
    std::vector<std::optional<std::string>> values;
    while (key.size() >= sizeof(std::uint32_t)) {
        std::uint32_t length = 0;
        std::memcpy(&length, key.data(), sizeof(length));
        key.remove_prefix(sizeof(length));
        if (length == kNull) {
            values.emplace_back();
            continue;
        }
        values.emplace_back(key.substr(0, length));
        key.remove_prefix(std::min<std::size_t>(length, key.size()));
    }
    return values;
}

}  // namespace bitvelocity::stream::model
