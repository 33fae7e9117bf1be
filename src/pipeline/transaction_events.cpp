#include "pipeline/transaction_events.hpp"

#include <utility>

namespace bitvelocity::pipeline {

namespace {

// As Debezium 3.4 names and types them.
constexpr char kKeyHead[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.common.TransactionMetadataKey\",\"version\":1},\"payload\":";
constexpr char kValueHead[] =
    "{\"schema\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"status\"},"
    "{\"type\":\"string\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"int64\",\"optional\":true,\"field\":\"event_count\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"struct\",\"fields\":["
    "{\"type\":\"string\",\"optional\":false,\"field\":\"data_collection\"},"
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"event_count\"}],\"optional\":false,"
    "\"name\":\"event.collection\",\"version\":1},\"optional\":true,\"field\":\"data_collections\"}"
    ","
    "{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"}],\"optional\":false,"
    "\"name\":\"io.debezium.connector.common.TransactionMetadataValue\",\"version\":1},"
    "\"payload\":";

}  // namespace

void TransactionEvents::Begin(const core::Transaction& transaction) {
    transaction_ = transaction;
    position_.id =
        std::to_string(transaction.xid) + ":" + std::to_string(transaction.commit_lsn.value);
    events_ = 0;
    for (const std::size_t table : std::exchange(touched_, {})) {
        tables_[table].events = 0;
    }
}

std::size_t TransactionEvents::AddTable(std::string name) {
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        if (tables_[i].name == name) {
            return i;
        }
    }
    tables_.push_back({std::move(name), 0});
    return tables_.size() - 1;
}

const core::TransactionPosition& TransactionEvents::Position(std::size_t table) {
    position_.total_order = events_ + 1;
    position_.table_order = tables_[table].events + 1;
    return position_;
}

void TransactionEvents::Count(std::size_t table) {
    ++events_;
    if (tables_[table].events++ == 0) {
        touched_.push_back(table);
    }
}

std::string_view TransactionEvents::Key() {
    key_.Clear();
    key_.Raw(schemas_ ? kKeyHead : "");
    key_.Raw("{\"id\":");
    key_.String(position_.id);
    key_.Raw(schemas_ ? "}}" : "}");
    return key_.view();
}

std::string_view TransactionEvents::BeginValue() {
    StartValue("BEGIN");
    value_.Raw(",\"event_count\":null,\"data_collections\":null");
    EndPayload();
    return value_.view();
}

std::string_view TransactionEvents::EndValue() {
    StartValue("END");
    value_.Raw(",\"event_count\":");
    value_.Number(events_);
    value_.Raw(",\"data_collections\":[");
    for (std::size_t i = 0; i < touched_.size(); ++i) {
        value_.Raw(i == 0 ? "{\"data_collection\":" : ",{\"data_collection\":");
        value_.String(tables_[touched_[i]].name);
        value_.Raw(",\"event_count\":");
        value_.Number(tables_[touched_[i]].events);
        value_.Raw('}');
    }
    value_.Raw(']');
    EndPayload();
    return value_.view();
}

void TransactionEvents::StartValue(std::string_view status) {
    value_.Clear();
    value_.Raw(schemas_ ? kValueHead : "");
    value_.Raw("{\"status\":\"");
    value_.Raw(status);
    value_.Raw("\",\"id\":");
    value_.String(position_.id);
}

void TransactionEvents::EndPayload() {
    value_.Raw(",\"ts_ms\":");
    value_.Number(transaction_.commit_time_us / 1000);
    value_.Raw(schemas_ ? "}}" : "}");
}

}  // namespace bitvelocity::pipeline
