#include "pipeline/message_headers.hpp"

#include <charconv>
#include <utility>

namespace bitvelocity::pipeline {

namespace {

template <typename Number>
void AppendNumber(std::string& out, Number number) {
    char text[24];
    const auto end = std::to_chars(text, text + sizeof(text), number).ptr;
    out.append(text, end);
}

}  // namespace

MessageHeaders::MessageHeaders(std::vector<HeaderKind> kinds, const core::Source& source)
    : kinds_(std::move(kinds)) {
    AppendNumber(source_, source.system_identifier);
    source_ += '.';
    AppendNumber(source_, source.database_oid);
    AppendNumber(epoch_, source.epoch);
    // The stream comes last: its name may contain the separator.
    packed_suffix_ = ":" + source_ + ":" + source.stream;
    StartTransaction({});
}

std::span<const sink::Header> MessageHeaders::Make(
    const core::Change& change, std::uint32_t part,
    std::span<const format::MessageHeader> of_format) {
    const core::Identity& identity = change.identity;
    if (kinds_.empty() && of_format.empty()) {
        return {};
    }
    if (identity.commit_lsn != commit_lsn_ || identity.xid != xid_) {
        StartTransaction(identity);
    }
    headers_.clear();
    for (const HeaderKind kind : kinds_) {
        std::string& value = values_[static_cast<std::size_t>(kind)];
        if (Write(kind, change, part, value)) {
            headers_.push_back({HeaderName(kind), value});
        }
    }
    for (const format::MessageHeader& header : of_format) {
        headers_.push_back({header.name, header.value});
    }
    return headers_;
}

void MessageHeaders::StartTransaction(const core::Identity& identity) {
    commit_lsn_ = identity.commit_lsn;
    xid_ = identity.xid;
    packed_prefix_ = epoch_;
    packed_prefix_ += ':';
    core::AppendLsn(packed_prefix_, commit_lsn_);
    packed_prefix_ += ':';
    AppendNumber(packed_prefix_, xid_);
    packed_prefix_ += ':';
}

bool MessageHeaders::Write(HeaderKind kind, const core::Change& change, std::uint32_t part,
                           std::string& value) {
    const core::Identity& identity = change.identity;
    value.clear();
    switch (kind) {
        case HeaderKind::kEventId:
            core::AppendUuid(value, core::MakeEventId({identity.source, identity.commit_lsn,
                                                       identity.xid, identity.ordinal, part}));
            return true;
        case HeaderKind::kIdentity:
            value = packed_prefix_;
            AppendNumber(value, identity.ordinal);
            value += ':';
            AppendNumber(value, part);
            value += packed_suffix_;
            return true;
        case HeaderKind::kSource:
            value = source_;
            return true;
        case HeaderKind::kEpoch:
            value = epoch_;
            return true;
        case HeaderKind::kCommitLsn:
            core::AppendLsn(value, identity.commit_lsn);
            return true;
        case HeaderKind::kXid:
            AppendNumber(value, identity.xid);
            return true;
        case HeaderKind::kOrdinal:
            AppendNumber(value, identity.ordinal);
            return true;
        case HeaderKind::kPart:
            AppendNumber(value, part);
            return true;
        case HeaderKind::kOperation:
            value = core::OperationName(change.operation);
            return true;
        case HeaderKind::kCorrelationId:
            value = change.context != nullptr ? change.context->correlation_id : std::string();
            return !value.empty();
        case HeaderKind::kTraceparent:
            value = change.context != nullptr ? change.context->traceparent : std::string();
            return !value.empty();
    }
    return false;
}

}  // namespace bitvelocity::pipeline
