// CarefulWriter: writes a bronze table so that a row that it refuses takes no other with it.
//
// Rows are kept and written many at once in a subtransaction; where that fails for what a row says,
// halves are tried until the rows that are refused stand alone. These become letters of the same
// transaction. Order is kept. Its caller holds the table's sequence lock. Main thread, inside a
// transaction.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/owned_change.hpp"
#include "pipeline/letter.hpp"

namespace bitvelocity::stream {

class CarefulWriter {
  public:
    // `skip`: rows that are refused are only noted.
    CarefulWriter(std::uint32_t bronze, const core::Source& source, pipeline::LetterBox& letters,
                  bool skip);

    void Write(const core::Change& change);
    void Flush();
    [[nodiscard]] std::uint64_t rows() const { return rows_; }

  private:
    void WriteRange(std::size_t from, std::size_t to);

    std::uint32_t bronze_;
    const core::Source& source_;
    pipeline::LetterBox& letters_;
    bool skip_;
    core::OwnedRelations relations_;
    std::vector<std::unique_ptr<core::OwnedChange>> waiting_;
    std::size_t bytes_ = 0;
    std::uint64_t rows_ = 0;
};

// One row in a subtransaction; why the table refuses it, where that is for what the row says.
[[nodiscard]] std::optional<core::Error> TryRow(std::uint32_t bronze, const core::Change& change);

}  // namespace bitvelocity::stream
