// Decoder: the process that turns WAL into bytes. Runs no SQL while it decodes.
//
// Order of its life: read the stream's definition, make the slot where it does not exist, wait for
// the deliverer's position, acquire the slot, one streaming context, decode until told to stop,
// confirm and save, exit. An ERROR while decoding ends the process; the scheduler starts the pair
// again.
#pragma once

#include "worker/worker.hpp"

namespace bitvelocity::stream {

void DecoderMain(const worker::ServiceStart& start);

}  // namespace bitvelocity::stream
