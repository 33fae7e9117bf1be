// Any bytes as a batch of frames, through the parser into every encoder: what comes out is JSON.
//
// json and jsonb are embedded as the server printed them; here nobody has checked them, so these
// types are made text first.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/oids.hpp"
#include "format/avro/schema_ids.hpp"
#include "format/encoder.hpp"
#include "wal/frame.hpp"
#include "wal/parser.hpp"
#include "json_check.hpp"

namespace {

using namespace bitvelocity;

void Require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

core::TypePtr WithoutJson(const core::TypePtr& type) {
    if (type == nullptr) {
        return nullptr;
    }
    auto copy = std::make_shared<core::TypeDescription>(*type);
    if (copy->oid == core::kJsonOid || copy->oid == core::kJsonbOid) {
        copy->oid = core::kTextOid;
    }
    copy->element = WithoutJson(copy->element);
    for (core::TypeAttribute& attribute : copy->attributes) {
        attribute.type = WithoutJson(attribute.type);
    }
    return copy;
}

class JsonChecker final : public format::MessageHandler {
  public:
    core::Status OnMessage(const format::Message& message) override {
        Require(!message.has_key || test::IsJson(message.key));
        Require(!message.has_value || test::IsJson(message.value));
        for (const format::MessageHeader& header : message.headers) {
            Require(!header.name.starts_with("__debezium") || test::IsJson(header.value));
        }
        return {};
    }
};

// Its messages are bytes, not JSON: what counts is that nothing is read or written out of bounds.
class AvroChecker final : public format::MessageHandler, public format::avro::SchemaIds {
  public:
    core::Status OnMessage(const format::Message& message) override {
        Require(!message.has_value || message.value.size() >= 5);
        return {};
    }
    core::Result<std::uint32_t> Find(const format::avro::SchemaRequest& request) override {
        Require(test::IsJson(request.schema));
        return 1U;
    }
};

class EncodeAll final : public wal::Handler {
  public:
    EncodeAll() {
        for (const auto& [format, options] : std::vector<std::pair<std::string, std::string>>{
                 {"event", "{}"},
                 {"event", R"({"event.schema": "none"})"},
                 {"flat", "{}"},
                 {"cloudevents", R"({"cloudevents.data": "row"})"},
                 {"cloudevents", R"({"cloudevents.mode": "binary"})"},
                 {"debezium", R"({"debezium.schemas": true})"},
                 {"debezium", R"({"debezium.decimals": "string"})"}}) {
            auto made = format::MakeEncoder({format, options, source_});
            Require(made.ok());
            encoders_.push_back(std::move(made.value()));
        }
        for (const char* options : {"{}", R"({"avro.shape": "flat", "avro.key": "json"})"}) {
            auto made = format::MakeEncoder({"avro", options, source_, &avro_checker_});
            Require(made.ok());
            avro_encoders_.push_back(std::move(made.value()));
        }
    }
    core::Status OnBegin(const core::Transaction&) override { return {}; }
    core::Status OnCommit(const core::Transaction&) override { return {}; }
    core::Status OnProgress(core::Lsn) override { return {}; }
    core::Status OnChange(const core::Change& change) override {
        core::Change copy = change;
        if (change.relation != nullptr) {
            core::RelationSchema& schema = schemas_[change.relation->oid];
            if (schema.version != change.relation->version) {
                schema = *change.relation;
                for (core::Column& column : schema.columns) {
                    column.type = WithoutJson(column.type);
                }
            }
            copy.relation = &schema;
        }
        for (const auto& encoder : encoders_) {
            // Errors are the encoder's right: bytes that are no text, NaN, a delete without a key.
            if (!encoder->Encode(copy, checker_).ok()) {
                continue;
            }
        }
        for (const auto& encoder : avro_encoders_) {
            if (!encoder->Encode(copy, avro_checker_).ok()) {
                continue;
            }
        }
        return {};
    }

  private:
    core::Source source_{1, 2, "db", "s", 1};
    std::vector<std::unique_ptr<format::Encoder>> encoders_;
    std::map<core::Oid, core::RelationSchema> schemas_;
    JsonChecker checker_;
    AvroChecker avro_checker_;
    std::vector<std::unique_ptr<format::Encoder>> avro_encoders_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    EncodeAll handler;
    wal::Parser parser({.source = {}, .context_secret = "golden", .messages = true}, handler);
    wal::FrameReader reader(std::as_bytes(std::span(data, size)));
    wal::Frame frame;
    while (reader.Next(frame)) {
        if (!parser.ParseFrame(frame).ok()) {
            continue;
        }
    }
    return 0;
}
