// Definition: one row of bitvelocity.stream and its tables, as the processes of the stream read it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/lsn.hpp"
#include "core/schema.hpp"

namespace bitvelocity::stream {

struct StreamTable {
    core::Oid relation = 0;
    core::Oid bronze = 0;        // 0: not an embedded sink
    std::string shaped_as;       // key in the option `tables`; empty: none
    std::string column_numbers;  // JSON, name -> attribute number
};

struct Definition {
    std::int32_t stream_id = 0;
    std::string name;
    core::Oid owner = 0;
    std::string sink;
    std::string format;
    std::vector<std::string> publications;
    bool own_publications = true;  // made with the stream; else the user's
    std::string options_json;
    std::string slot_name;
    std::int32_t epoch = 1;
    std::string phase;
    bool paused = false;
    std::int64_t version = 0;
    std::vector<StreamTable> tables;
};

// Inside a transaction. False when there is no such stream (any more).
bool LoadDefinition(std::int64_t stream_id, Definition* definition);

// "bitvelocity_<database oid>_<stream id>": the replication origin of an embedded sink.
std::string OriginName(std::int64_t stream_id);

}  // namespace bitvelocity::stream
