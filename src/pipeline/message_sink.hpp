// MessageSink: shaping (topic, key, headers) + Encoder + Transport = a Sink for brokers.
//
// Promise: at-least-once, ordered per key, identities equal on every re-delivery. Holds the
// AckWindow: DurablePosition is the longest acknowledged prefix of transactions. With `delivery` =
// `transactional` it is what the last committed Kafka transaction reached, and ResumePosition is
// read back from there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/encoder.hpp"
#include "pipeline/letter.hpp"
#include "pipeline/table_shape.hpp"
#include "sink/registry/http.hpp"
#include "sink/sink.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::pipeline {

struct MessageSinkOptions {
    core::Source source;
    std::string format = "event";
    std::string options_json = "{}";  // the stream's options (topic template, ...)
    std::vector<TableShape> shapes;   // for the topics of tables that have one of their own
    core::Lsn start;                  // the slot's confirmed position
    std::uint32_t timeline = 0;       // of the WAL that is read
    LetterBox* letters = nullptr;     // needed unless on_error is stop
};

// `registry`: where the format's schemas are registered; the format avro needs it.
[[nodiscard]] core::Result<std::unique_ptr<sink::Sink>> MakeMessageSink(
    const MessageSinkOptions& options, std::unique_ptr<sink::Transport> transport,
    sink::Waiter& waiter, std::unique_ptr<sink::registry::HttpClient> registry = nullptr);

// Checks what create_stream and alter_stream are given, without connecting: unknown keys and
// formats are 22023 with the nearest known name in the HINT. sink: "bronze", "kafka", "memory".
[[nodiscard]] core::Status ValidateStreamOptions(const std::string& sink, const std::string& format,
                                                 const std::string& options_json);

}  // namespace bitvelocity::pipeline
