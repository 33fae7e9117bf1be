// The `cloudevents` format: CloudEvents 1.0 over Kafka, one event per change.
//
// Structured mode: the value is the event as JSON, header content-type
// application/cloudevents+json. Binary mode: the value is `data`, the attributes are headers ce_*,
// content-type application/json. Attributes: id (event_id), source, type, subject (schema.table; of
// a logical message its prefix), time (commit), datacontenttype; extensions: sequence (epoch,
// commit LSN, ordinal, part in hexadecimal of fixed width, so that comparing texts compares
// positions), partitionkey (the key's JSON), traceparent, correlationid, actor, each only where it
// is known. `data` is {before, after, unchanged} or, with cloudevents.data = row, the row (of a
// delete: what is known of the old one).
#pragma once

#include <memory>

#include "format/encoder.hpp"
#include "format/options.hpp"

namespace bitvelocity::format::cloudevents {

[[nodiscard]] std::unique_ptr<Encoder> MakeCloudEventsEncoder(const CloudEventsOptions& options,
                                                              const core::Source& source);

}  // namespace bitvelocity::format::cloudevents
