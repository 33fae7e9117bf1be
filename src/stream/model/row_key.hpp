// RowKey: the text by which an existing row and a change of it are known to be the same row.
//
// Made of the columns by which the table is read (its key, else all of its columns) from the text
// form that a change carries, before anything is masked or left out. Where a change does not tell
// all of them, as they were read, there is no key. Pure; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.hpp"

namespace bitvelocity::stream::model {

struct KeyColumn {
    std::string name;
    core::Oid type = 0;
};

class RowKeys {
  public:
    RowKeys() = default;
    // `whole`: the columns are all that the table has.
    RowKeys(std::vector<KeyColumn> columns, bool whole)
        : columns_(std::move(columns)), whole_(whole) {}

    [[nodiscard]] const std::vector<KeyColumn>& columns() const { return columns_; }
    [[nodiscard]] bool whole() const { return whole_; }
    // `key_only`: of the tuple only the columns of the replica identity are known.
    [[nodiscard]] std::optional<std::string> Make(const core::RelationSchema& relation,
                                                  core::Tuple tuple, bool key_only);

  private:
    void Find(const core::RelationSchema& relation);

    std::vector<KeyColumn> columns_;
    bool whole_ = false;
    const core::RelationSchema* relation_ = nullptr;
    std::uint32_t version_ = 0;
    std::vector<std::size_t> places_;  // of columns_ in the relation; empty: they are not all there
};

// The values that a key was made of; NULL is none.
[[nodiscard]] std::vector<std::optional<std::string>> SplitRowKey(std::string_view key);

}  // namespace bitvelocity::stream::model
