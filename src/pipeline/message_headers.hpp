// MessageHeaders: the headers a stream puts on its messages: identity, operation and context.
//
// Reuses its buffers; what stays the same through a transaction is written once. One thread.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.hpp"
#include "format/encoder.hpp"
#include "pipeline/stream_options.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

class MessageHeaders {
  public:
    MessageHeaders(std::vector<HeaderKind> kinds, const core::Source& source);

    // `part`: of the message's identity, which is otherwise the change's. `of_format` come last.
    // The result is valid until the next call.
    std::span<const sink::Header> Make(const core::Change& change, std::uint32_t part,
                                       std::span<const format::MessageHeader> of_format);

  private:
    void StartTransaction(const core::Identity& identity);
    // False: nothing is known, the header is left out.
    bool Write(HeaderKind kind, const core::Change& change, std::uint32_t part, std::string& value);

    std::vector<HeaderKind> kinds_;
    std::string source_;  // system identifier, database oid
    std::string epoch_;
    std::string packed_suffix_;  // ":source:stream"
    core::Lsn commit_lsn_;
    std::uint32_t xid_ = 0;
    std::string packed_prefix_;  // "epoch:commit_lsn:xid:"
    std::array<std::string, kHeaderKinds> values_;
    std::vector<sink::Header> headers_;
};

}  // namespace bitvelocity::pipeline
