// Letter: an event that can never be delivered, with the error that says why.
//
// LetterBox is where a sink leaves letters; what it is behind depends on the stream's option
// on_error. A letter tells the event as it would have left the database: shaped, so without what is
// masked or excluded. Pure; the deliverer's main thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/change.hpp"
#include "core/owned_change.hpp"
#include "core/status.hpp"
#include "pipeline/table_shape.hpp"

namespace bitvelocity::pipeline {

enum class OnError : std::uint8_t {
    kStop,        // the stream stops at the event
    kDeadLetter,  // it becomes a letter, the stream goes on
    kSkip,        // it is left out, the stream goes on
};

struct PoisonOptions {
    OnError on_error = OnError::kStop;
    std::string topic;  // of letters; empty: the table
};

struct Letter {
    const core::Change& change;
    std::string_view topic;  // where it was bound for; empty: unknown, or no broker
    bool has_key = false;    // the message had a key
    std::string_view key;
    const core::Error& error;
};

class LetterBox {
  public:
    virtual ~LetterBox() = default;
    // Counts an event that is not delivered, whatever becomes of it, and tells the log.
    virtual void Note(const Letter& letter) = 0;
    // Keeps the letter; it is durable after Flush (inside a transaction of the caller: with it).
    // Storing an event a second time changes nothing.
    virtual core::Status Store(const Letter& letter) = 0;
    virtual core::Status Flush() = 0;
};

// "1:0/1976010:757:3:0": epoch, commit LSN, xid, ordinal, part.
[[nodiscard]] std::string IdentityText(const core::Identity& identity);

// The event for readers: {"before": {...}, "before_is_key": ..., "after": {...}, "unchanged":
// [...]} or {"prefix", "content" or "content_base64"}. Values are PostgreSQL's text, so that
// nothing is too strange to be shown; null is null.
[[nodiscard]] std::string ChangeJson(const core::Change& change);

// Text that a database takes: bytes that are no UTF-8, and zero, become "?".
[[nodiscard]] std::string ReadableText(std::string_view text);
// A message's key: as it is, or "\x" and hexadecimal digits where it is no text.
[[nodiscard]] std::string KeyText(std::string_view key);

// The same event as bytes from which it can be encoded again, with all of its table that encoders
// look at, and the options that shaped it (`shape`, may be null). Versioned: what a later release
// cannot read it refuses.
[[nodiscard]] std::string WriteLetter(const core::Change& change, const TableShape* shape);

struct ReadLetterResult {
    std::unique_ptr<core::OwnedChange> event;
    std::string shape;  // TableShape::text as of then; empty: none
};
// `version`: of the event's table, different from all that caches know. `source` must outlive the
// event. 55000: not of a form this release reads.
[[nodiscard]] core::Result<ReadLetterResult> ReadLetter(std::string_view bytes,
                                                        std::uint32_t version,
                                                        const core::Source* source);

}  // namespace bitvelocity::pipeline
