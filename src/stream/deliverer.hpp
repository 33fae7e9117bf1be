// Deliverer: the process that takes bytes from the queue, through the pipeline, into the sink.
//
// Order of its life: read the definition, open the sink, say from where to decode, copy existing
// rows that are pending, let the decoder go, deliver until the queue ends, drain, publish the
// position.
#pragma once

#include "worker/worker.hpp"

namespace bitvelocity::stream {

void DelivererMain(const worker::ServiceStart& start);

}  // namespace bitvelocity::stream
