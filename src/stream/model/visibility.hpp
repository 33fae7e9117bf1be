// Visibility: which transactions a snapshot sees.
//
// A chunk of existing rows is read under a snapshot while the stream goes on; what its transactions
// did is in the rows, what others did is not. Text form and visibility are pg_snapshot's
// (PostgreSQL documentation, 9.27.13: xmin:xmax:xip list of 64-bit transaction ids). Pure; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bitvelocity::stream::model {

class Visibility {
  public:
    // Empty for anything that is not a pg_snapshot's text form.
    static std::optional<Visibility> Parse(std::string_view text);

    // `xid` is the 32-bit id of the WAL; it is taken as the one nearest to the snapshot.
    [[nodiscard]] bool Sees(std::uint32_t xid) const;

  private:
    std::uint64_t xmin_ = 0;
    std::uint64_t xmax_ = 0;
    std::vector<std::uint64_t> in_progress_;  // sorted
};

}  // namespace bitvelocity::stream::model
