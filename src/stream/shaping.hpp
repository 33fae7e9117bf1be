// Shaping: the option `tables` of a stream against the catalogue: checked and remembered when it is
// given, loaded by the deliverer.
//
// Remembered are the OID of each table and the attribute numbers of the columns that the options
// name (bitvelocity.stream_table), so that a rename does not lose what they mean. Throws. Inside a
// transaction.
#pragma once

#include <string>
#include <vector>

#include "pipeline/table_shape.hpp"
#include "stream/definition.hpp"

namespace bitvelocity::stream {

// After the options or the tables of a stream changed: refuses tables and columns that are not
// there, keys that deletes could not tell and a salt that is missing; sets the row filters of the
// stream's own publications.
void ApplyShaping(std::int32_t stream_id);

// Enables the event triggers of schema changes while a stream asks for them, so that nobody pays
// for what nobody needs.
void UpdateEventTriggers();

// What the options say of each table, with what was remembered.
std::vector<pipeline::TableShape> LoadShapes(const Definition& definition);

}  // namespace bitvelocity::stream
