// Change: the narrow waist. Everything before it is PostgreSQL's protocol, everything after it a
// sink.
//
// A Change only borrows: relation, tuples and context live until the next call of the producer that
// handed it out. Text values are the type's output function under the pinned settings (DateStyle
// ISO, TimeZone UTC, extra_float_digits 3, bytea hex, lc_monetary C, UTF-8). Times are microseconds
// since the Unix epoch. Any thread, one at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/lsn.hpp"
#include "core/schema.hpp"

namespace bitvelocity::core {

enum class Operation : std::uint8_t {
    kInsert = 'c',
    kUpdate = 'u',
    kDelete = 'd',
    kTruncate = 't',
    kRead = 'r',     // a row that existed before the stream (snapshot)
    kMessage = 'm',  // pg_logical_emit_message
};

enum class ValueKind : std::uint8_t {
    kNull,
    kUnchanged,  // a TOASTed value the update did not touch; its content is not in the WAL record
    kText,
};

struct Value {
    ValueKind kind = ValueKind::kNull;
    std::string_view text;
};

using Tuple = std::span<const Value>;

// What the writer said of itself (prefix bitvelocity.context); empty where nothing preceded.
struct Context {
    std::string actor;
    std::string correlation_id;  // a UUID's text form, or empty
    std::string traceparent;     // W3C Trace Context, or empty

    [[nodiscard]] bool empty() const {
        return actor.empty() && correlation_id.empty() && traceparent.empty();
    }
};

struct Transaction {
    std::uint32_t xid = 0;
    Lsn commit_lsn;  // of the commit record (pgoutput Begin: final_lsn)
    Lsn end_lsn;     // after the commit record; invalid until Commit was read
    std::int64_t commit_time_us = 0;
};

// Where a stream's events come from; constant for a deliverer's life.
struct Source {
    std::uint64_t system_identifier = 0;
    Oid database_oid = 0;
    std::string database;
    std::string stream;
    std::int32_t epoch = 1;
};

// Equal on every re-delivery. Order within a source: (epoch, commit_lsn, ordinal, part).
struct Identity {
    const Source* source = nullptr;
    Lsn commit_lsn;             // non-transactional messages: their own LSN
    std::uint32_t xid = 0;      // non-transactional messages: 0
    std::uint64_t ordinal = 0;  // position of pgoutput's message in its transaction, from 1
    std::uint32_t part = 0;  // which event of one message (key change, truncate of several tables)
};

// Where an event stands among those of its transaction, for formats that say so. An encoder that
// makes several events of one change counts on from here.
struct TransactionPosition {
    std::string id;                 // "xid:commit LSN", decimal
    std::uint64_t total_order = 0;  // from 1
    std::uint64_t table_order = 0;  // from 1, among events of the same table
};

struct Change {
    Operation operation = Operation::kInsert;
    const RelationSchema* relation = nullptr;  // null for kMessage
    Identity identity;
    Lsn lsn;  // of the change itself
    std::int64_t commit_time_us = 0;
    Tuple before;                                   // empty, or as long as relation->columns
    bool before_is_key = false;                     // only the key columns of `before` are known
    Tuple after;                                    // empty, or as long as relation->columns
    const Context* context = nullptr;               // null or empty: unknown
    const TransactionPosition* position = nullptr;  // null: nobody asked
    // kMessage only
    std::string_view prefix;
    std::string_view content;
    bool transactional = true;
};

// RFC 9562 UUID version 8: the first 60 free bits are the commit LSN (its four low bits left out),
// so ids sort by position; the other 62 are a hash of (source, stream, epoch, xid, commit LSN) plus
// (ordinal << 20 | part), so two events of one transaction can never share an id.
struct EventId {
    std::uint8_t bytes[16];
};
[[nodiscard]] EventId MakeEventId(const Identity& identity);

// The same for a sequence of events: keeps what those of one transaction have in common. A source
// is told from others by its address.
class EventIds {
  public:
    [[nodiscard]] EventId Make(const Identity& identity);

  private:
    bool known_ = false;
    const Source* source_ = nullptr;
    Lsn commit_lsn_;
    std::uint32_t xid_ = 0;
    std::uint64_t hash_ = 0;
};
void AppendUuid(std::string& out, const EventId& id);

// "INSERT", "UPDATE", "DELETE", "TRUNCATE", "READ", "MESSAGE".
[[nodiscard]] std::string_view OperationName(Operation operation);

}  // namespace bitvelocity::core
