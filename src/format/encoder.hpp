// Encoder: one Change -> the messages of one format, as bytes.
//
// Appends to buffers that the caller reuses; no allocation per row once they have grown. Caches per
// (relation oid, version). Knows nothing of topics and transports. One thread.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "core/change.hpp"
#include "core/status.hpp"

namespace bitvelocity::format {

namespace avro {
class SchemaIds;
}

struct MessageHeader {
    std::string_view name;
    std::string_view value;
};

// One message. A null key means the topic's partitioner decides; a null value is a tombstone.
struct Message {
    bool has_key = false;
    bool has_value = true;
    std::string_view key;
    std::string_view value;
    // What the format wants to say outside the value (Debezium: __debezium.newkey and .oldkey;
    // CloudEvents: content-type and ce_*). They go behind those that the stream adds.
    std::span<const MessageHeader> headers;
    // Of its identity, which is otherwise the change's: the change's `part` and how many messages
    // of the change came before.
    std::uint32_t part = 0;
};

class MessageHandler {
  public:
    virtual ~MessageHandler() = default;
    virtual core::Status OnMessage(const Message& message) = 0;
};

class Encoder {
  public:
    virtual ~Encoder() = default;
    // Calls `handler` once per message: usually one; a key change or a delete with tombstone is
    // more. The message borrows until the call returns. An error concerns this change only
    // (poison).
    virtual core::Status Encode(const core::Change& change, MessageHandler& handler) = 0;
    // Everything of a transaction was encoded; `end` is behind its commit record.
    virtual void Commit(core::Lsn end) { (void)end; }
};

struct EncoderOptions {
    std::string format;               // one of EncoderFormats()
    std::string options_json = "{}";  // the stream's options, one JSON object
    core::Source source;
    avro::SchemaIds* schema_ids = nullptr;  // of the format avro, which cannot do without
    core::Lsn start{};  // everything before was delivered in an earlier life; invalid: unknown
};

[[nodiscard]] const std::set<std::string>& EncoderFormats();

// The option keys of a format, all written `<format>.<name>`; empty for an unknown format. Who owns
// further keys (topic, partition, ...) validates against the union of these and its own.
[[nodiscard]] std::set<std::string> EncoderOptionNames(std::string_view format);

// 22023 with the nearest known name in the HINT: unknown format, a value of the wrong type or
// outside its choices, and a key that begins with the name of a format but is none of this
// format's. Keys without such a prefix belong to somebody else and are left alone.
[[nodiscard]] core::Status ValidateEncoderOptions(std::string_view format,
                                                  const std::string& options_json);

// Validates first, as ValidateEncoderOptions does.
[[nodiscard]] core::Result<std::unique_ptr<Encoder>> MakeEncoder(const EncoderOptions& options);

}  // namespace bitvelocity::format
