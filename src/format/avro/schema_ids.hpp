// SchemaIds: the number under which a registry knows a schema.
//
// What the encoder needs of a registry, and nothing more: subjects, requests, waiting and caching
// are the implementation's. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/status.hpp"

namespace bitvelocity::format::avro {

enum class SchemaPart : std::uint8_t { kKey, kValue };

struct SchemaRequest {
    SchemaPart part = SchemaPart::kValue;
    std::string_view record;  // full name of the top-level record
    std::string_view schema;  // JSON
};

class SchemaIds {
  public:
    virtual ~SchemaIds() = default;
    // May wait. An error is permanent for the change that needs the schema.
    virtual core::Result<std::uint32_t> Find(const SchemaRequest& request) = 0;
};

}  // namespace bitvelocity::format::avro
