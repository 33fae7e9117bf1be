// TransportLoader: the broker's side of a stream: connection file, shared object, factory.
//
// The library is opened here and nowhere else, so only a deliverer that needs a broker maps its
// client.
#pragma once

#include <memory>
#include <string>

#include "sink/registry/http.hpp"
#include "sink/transport.hpp"
#include "stream/definition.hpp"

namespace bitvelocity::stream {

// Reads bitvelocity.connection_file (refused unless only the server's user can read it), takes the
// connection that the stream's options name and opens bitvelocity_<sink>.so. Throws; no value of
// the file is ever in an error.
std::unique_ptr<sink::Transport> LoadTransport(const Definition& definition,
                                               const core::Source& source);

// The schema registry of the same connection, through bitvelocity_registry.so; null where the
// stream's format has no schemas to register.
std::unique_ptr<sink::registry::HttpClient> LoadRegistry(const Definition& definition);

// The property mask.salt of the same connection ([default] for sinks that have none). Throws where
// it is missing.
std::string LoadSalt(const Definition& definition);

}  // namespace bitvelocity::stream
