// Parser: pgoutput's bytes (protocol version 1, text) -> core::Change.
//
// Hides the wire format, the relation cache, the counting of ordinals and the trust in context
// messages. Push style: each frame calls the handler zero or more times. What is handed out borrows
// from the frame and from the parser until ParseFrame returns. Every length is checked; anything
// the protocol does not allow is an error (08P01) and the stream stops. One thread.
//
// Ordinals count, from 1 in each transaction, what the WAL itself contains: Insert, Update, Delete,
// Truncate and transactional Message, whether or not they reach the handler (own tables, context
// and other messages count too). Relation, Type, Origin and the records of our own do not count:
// whether they are repeated depends on the life of the decoding process.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/change.hpp"
#include "core/status.hpp"
#include "wal/frame.hpp"

namespace bitvelocity::wal {

class Handler {
  public:
    virtual ~Handler() = default;
    virtual core::Status OnBegin(
        const core::Transaction& transaction) = 0;  // end_lsn not yet known
    virtual core::Status OnChange(const core::Change& change) = 0;
    virtual core::Status OnCommit(const core::Transaction& transaction) = 0;  // end_lsn known
    // Outside a transaction: the WAL is read up to `lsn` and nothing is in flight before it.
    virtual core::Status OnProgress(core::Lsn lsn) = 0;
    // Outside a transaction: a watermark of this stream, see watermark_message.hpp. `lsn` is the
    // end of its record; everything that was committed before it has been handed out.
    virtual core::Status OnWatermark(core::Lsn /*lsn*/, std::string_view /*content*/) {
        return core::Status::Ok();
    }
};

struct ParserOptions {
    core::Source source;
    // A context message counts only if it begins with this secret (anybody may emit messages).
    std::string context_secret;
    // Tables of this schema never reach the handler (a FOR ALL TABLES publication includes ours).
    std::string own_schema = "bitvelocity";
    bool messages = false;  // hand kMessage changes to the handler
    // Hand out what DDL did to tables of the stream: a kMessage of prefix kSchemaPrefix whose
    // content is the event, see schema_message.hpp.
    bool schema_changes = false;
    // Of the first description of a table. Parsers whose changes meet in one sink must not give two
    // descriptions the same version.
    std::uint32_t first_version = 1;
};

inline constexpr std::string_view kContextPrefix = "bitvelocity.context";
// Its content: wal/context_message.hpp. The one writer is src/stream/context.cpp.
inline constexpr std::string_view kSchemaPrefix = "bitvelocity.ddl";
// Its content: wal/schema_message.hpp. The one writer is src/stream/schema_change.cpp.
inline constexpr std::string_view kWatermarkPrefix = "bitvelocity.watermark";
// Its content: wal/watermark_message.hpp. The one writer is src/stream/watermark.cpp.

class Parser {
  public:
    Parser(ParserOptions options, Handler& handler);
    ~Parser();
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;

    core::Status ParseFrame(const Frame& frame);
    // Changes of pgoutput's stream are inside a Begin ... Commit pair.
    [[nodiscard]] bool in_transaction() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace bitvelocity::wal
