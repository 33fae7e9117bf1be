// CopiedSnapshot: which transactions the copy of a table's existing rows already contains.
//
// The rows that exist are read under a snapshot taken while the stream goes on. A transaction that
// this snapshot sees is in the copy, so its changes to the table must not be delivered again; every
// other one must be. Text form and visibility are pg_snapshot's (PostgreSQL documentation, 9.27.13:
// xmin:xmax:xip list of 64-bit transaction ids). Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bitvelocity::stream::model {

class CopiedSnapshot {
  public:
    // Empty for anything that is not a pg_snapshot's text form.
    static std::optional<CopiedSnapshot> Parse(std::string_view text);

    // `xid` is the 32-bit id of the WAL; it is taken as the one nearest to the snapshot.
    [[nodiscard]] bool Sees(std::uint32_t xid) const;

  private:
    std::uint64_t xmin_ = 0;
    std::uint64_t xmax_ = 0;
    std::vector<std::uint64_t> in_progress_;  // sorted
};

}  // namespace bitvelocity::stream::model
