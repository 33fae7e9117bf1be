// The `avro` format: Avro binary behind Confluent's header (0, then the schema's id in four bytes).
//
// avro.shape = event: an envelope {operation, before, after, metadata}, named by avro.namespace and
// avro.name, its row and metadata as `<name>.Row` and `<name>.Metadata`; logical messages are
// {prefix, content, metadata}. avro.shape = flat: the row alone, deletes and moved keys as
// tombstones; then avro.schemas may give a table's record in the user's own words (type.hpp says
// how its fields find their columns). The key is a record `<name>.Key` of the key columns, or
// (avro.key = json) the JSON of the other formats. Ids are asked for when a relation's version is
// first written. One thread.
#pragma once

#include <memory>

#include "format/avro/schema_ids.hpp"
#include "format/encoder.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::avro {

[[nodiscard]] std::unique_ptr<Encoder> MakeAvroEncoder(const AvroOptions& options,
                                                       const core::Source& source, SchemaIds& ids);

// 22023 for a given schema that no table could fill.
[[nodiscard]] core::Status CheckGivenSchema(const std::string& table, const std::string& schema);

}  // namespace bitvelocity::format::avro
