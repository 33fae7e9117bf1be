// WatchedTables: what is delivered of the tables whose existing rows are being read, told to their
// windows. Pure; one thread.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "core/change.hpp"
#include "stream/model/chunk_window.hpp"
#include "stream/model/row_key.hpp"

namespace bitvelocity::stream::model {

struct WatchedTable {
    ChunkWindow window;
    RowKeys keys;
    std::string described;  // what the rows' parser was told of it last
};

class WatchedTables {
  public:
    // Makes one that is not there.
    WatchedTable& operator[](core::Oid relation) { return tables_[relation]; }
    void Remove(core::Oid relation) { tables_.erase(relation); }

    // The key of a row that moved there while chunks of its table are read, and whose event is not
    // whole, if it did.
    std::optional<std::string> OnChange(const core::Change& change);
    // A chunk of the table that was asked for was read: what this snapshot sees all that are asked
    // for later see, of whatever table.
    void Read(core::Oid relation, const Visibility& snapshot);

    [[nodiscard]] auto begin() { return tables_.begin(); }
    [[nodiscard]] auto end() { return tables_.end(); }

  private:
    std::map<core::Oid, WatchedTable> tables_;
};

}  // namespace bitvelocity::stream::model
