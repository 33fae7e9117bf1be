// DeadLetters: rows of bitvelocity.dead_letter, written and sent again.
//
// The box of a deliverer: inside a transaction of the caller its rows belong to it, else Flush
// commits them in one of its own. An event is there once, however often it comes. Values are
// shaped already; nothing else of the row is stored. Main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/change.hpp"
#include "pipeline/letter.hpp"
#include "pipeline/table_shape.hpp"
#include "stream/definition.hpp"

namespace bitvelocity::stream {

struct Entry;

class DeadLetters final : public pipeline::LetterBox {
  public:
    DeadLetters(const Definition& definition, const core::Source& source, Entry* entry,
                const std::vector<pipeline::TableShape>& shapes);

    void Note(const pipeline::Letter& letter) override;
    core::Status Store(const pipeline::Letter& letter) override;
    core::Status Flush() override;

    // A letter that somebody asked to send again.
    struct Requested {
        std::int64_t id = 0;
        std::unique_ptr<core::OwnedChange> event;  // null: see outcome
        std::optional<core::Error> outcome;        // why it stays a letter
    };
    // The next ones, oldest first; inside a transaction.
    std::vector<Requested> NextRequested();
    // Writes what became of them; inside a transaction.
    void Settle(const std::vector<Requested>& letters);

  private:
    struct Row {
        std::int32_t epoch;
        core::Lsn commit_lsn;
        std::int64_t xid;
        std::int64_t ordinal;
        std::int32_t part;
        std::string event_id;
        std::optional<std::string> relation;
        std::string operation;
        std::optional<std::string> change;
        std::optional<std::string> topic;
        std::optional<std::string> key;
        std::string sqlstate;
        std::string error;
        std::optional<std::string> detail;
        std::string event;
    };

    void Insert();

    std::int32_t stream_id_;
    core::Source source_;
    std::string source_text_;
    Entry* entry_;
    bool skips_ = false;
    std::vector<pipeline::TableShape> shapes_;
    std::vector<Row> rows_;
    std::uint32_t version_ = UINT32_MAX;  // of tables of letters; the parser's begin at 1
};

// Verb: asks the stream's deliverer to send letters again, all or those named, once the transaction
// has committed; returns how many. Backend, inside a transaction.
std::int64_t RequestRedrive(std::int32_t stream_id, const std::string& stream, std::uintptr_t ids,
                            bool all);

}  // namespace bitvelocity::stream
