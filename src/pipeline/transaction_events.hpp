// TransactionEvents: what a stream says of whole transactions (option transaction_metadata).
//
// Debezium's shape: a BEGIN before the first event, an END behind the last one with the number of
// events in all and per table, both keyed by the transaction's id. The id is "xid:commit LSN", the
// same for all events of a transaction and on every re-delivery (Debezium's ends in the LSN of the
// single event, by which nobody could join). Transactions without an event are not mentioned. One
// thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/change.hpp"
#include "format/json_writer.hpp"

namespace bitvelocity::pipeline {

class TransactionEvents {
  public:
    // `schemas`: key and value as {schema, payload} (debezium.schemas).
    explicit TransactionEvents(bool schemas) : schemas_(schemas) {}

    void Begin(const core::Transaction& transaction);
    // Index of a table for Position and Count; `name` is "schema.table".
    [[nodiscard]] std::size_t AddTable(std::string name);
    // Where the next event of the table stands.
    [[nodiscard]] const core::TransactionPosition& Position(std::size_t table);
    void Count(std::size_t table);
    [[nodiscard]] std::uint64_t events() const { return events_; }

    [[nodiscard]] std::string_view Key();
    [[nodiscard]] std::string_view BeginValue();
    [[nodiscard]] std::string_view EndValue();

  private:
    void StartValue(std::string_view status);
    void EndPayload();

    struct Table {
        std::string name;
        std::uint64_t events = 0;
    };

    bool schemas_;
    core::Transaction transaction_;
    core::TransactionPosition position_;
    std::uint64_t events_ = 0;
    std::vector<Table> tables_;
    std::vector<std::size_t> touched_;
    format::JsonWriter key_;
    format::JsonWriter value_;
};

}  // namespace bitvelocity::pipeline
