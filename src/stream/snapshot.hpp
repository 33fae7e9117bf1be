// Snapshot: the rows that exist when a table joins a stream, as `r` events.
//
// Runs in the deliverer before anything of the stream is decoded, while the table's changes pile up
// in the slot: waits for every transaction that was running (it may have been dropped unread or
// have begun before the table was published), reads the rows under one snapshot, and keeps that
// snapshot with the table. Transactions it sees are in the copy; CopyFilter keeps their changes out
// afterwards. Rows take the same way as changes: pgoutput's bytes, parser, sink.
#pragma once

#include <memory>

#include "pipeline/pipeline.hpp"
#include "sink/sink.hpp"
#include "stream/bronze_sink.hpp"
#include "stream/definition.hpp"
#include "stream/shared.hpp"

namespace bitvelocity::stream {

// Copies every pending table of the definition and marks them copied, `position` being where
// decoding will go on. With a bronze sink rows, marks and position are one transaction; with a
// broker the marks are committed after the last acknowledgement. Updates the definition. False:
// told to stop meanwhile.
bool CopyExistingRows(Definition* definition, Entry* entry, pipeline::Pipeline& pipeline,
                      sink::Sink& sink, BronzeSink* bronze, const core::Source& source,
                      core::Lsn position, sink::Waiter& waiter);

// A sink in front of the sink: drops changes that the copies of their tables contain. Null when
// nothing committed after `resume` can be in a copy.
std::unique_ptr<sink::Sink> MakeCopyFilter(const Definition& definition, core::Lsn resume,
                                           sink::Sink& sink);

}  // namespace bitvelocity::stream
