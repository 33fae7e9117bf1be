// MemorySink: counts what a stream delivers and, when asked, keeps it as text.
//
// The sink `memory`: tests and the decoding benchmark. A transaction is durable at its commit; what
// an unfinished one wrote is forgotten at the next Begin. Deliverer, main thread, or a test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sink/sink.hpp"

namespace bitvelocity::sink {

struct MemorySinkOptions {
    bool keep = false;  // keep the changes as text; memory grows with every change
    core::Lsn resume;   // what ResumePosition answers
};

struct MemoryTotals {
    std::uint64_t transactions = 0;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;  // of the values, before and after
    // Depends on every value and on the order of changes; equal streams give equal sums.
    std::uint64_t checksum = 0;
};

class MemorySink final : public Sink {
  public:
    explicit MemorySink(MemorySinkOptions options = {})
        : options_(options), durable_(options.resume) {}

    core::Result<core::Lsn> ResumePosition() override { return options_.resume; }
    core::Status Begin(const core::Transaction& transaction) override;
    core::Status Write(const core::Change& change) override;
    core::Status Commit(const core::Transaction& transaction) override;
    core::Status Progress(core::Lsn lsn) override;
    core::Status Boundary(bool) override { return core::Status::Ok(); }
    core::Status Poll() override { return core::Status::Ok(); }
    [[nodiscard]] core::Lsn DurablePosition() const override { return durable_; }
    core::Status Drain(std::int64_t) override { return core::Status::Ok(); }

    [[nodiscard]] const MemoryTotals& totals() const { return committed_; }
    // One line a change, as DescribeChange, of committed transactions only.
    [[nodiscard]] const std::vector<std::string>& changes() const { return changes_; }

  private:
    MemorySinkOptions options_;
    MemoryTotals committed_;
    MemoryTotals running_;
    std::size_t kept_ = 0;  // of changes_, by committed transactions
    std::vector<std::string> changes_;
    core::Lsn durable_;
};

// "INSERT public.orders {id=1, note=NULL}", "UPDATE public.orders key {id=1} {id=2,
// note=unchanged}".
[[nodiscard]] std::string DescribeChange(const core::Change& change);

}  // namespace bitvelocity::sink
