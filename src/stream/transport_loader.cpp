#include "stream/transport_loader.hpp"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "pg/boundary.hpp"
#include "pg/settings.hpp"
#include "pipeline/stream_options.hpp"
#include "sink/connection_file.hpp"
#include "pg/postgres.hpp"

namespace bitvelocity::stream {

namespace {

std::string ReadConnectionFile() {
    const std::string path =
        pg::settings::connection_file != nullptr ? pg::settings::connection_file : "";
    if (path.empty()) {
        pg::Throw(core::kConfigFileError, "bitvelocity.connection_file is not set",
                  "A stream to a broker takes its servers and secrets from that file.",
                  "Write the file (mode 0600, outside the data directory) with a line "
                  "bootstrap.servers = host:port, set bitvelocity.connection_file to its path and "
                  "reload.");
    }
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) {
        pg::Throw(core::kConfigFileError, "could not read the connection file",
                  std::string("bitvelocity.connection_file: ") + strerror(errno) + ".",
                  "Make it readable for the user that runs the server.");
    }
    pg::ThrowIfError(sink::CheckConnectionFile(facts.st_mode, facts.st_uid, geteuid()));
    std::ifstream file(path);
    std::stringstream content;
    content << file.rdbuf();
    if (!file) {
        pg::Throw(core::kConfigFileError, "could not read the connection file", {},
                  "Make it readable for the user that runs the server.");
    }
    return content.str();
}

sink::TransportFactory OpenFactory(const std::string& sink) {
    const std::string path = std::string(pkglib_path) + "/bitvelocity_" + sink + ".so";
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* reason = dlerror();
        pg::Throw("58P01", "could not load the transport of sink \"" + sink + "\"",
                  reason != nullptr ? reason : "", "Install the library it names.");
    }
    const std::string entry = "bitvelocity_" + sink + "_transport";
    auto factory = reinterpret_cast<sink::TransportFactory>(dlsym(library, entry.c_str()));
    if (factory == nullptr) {
        pg::Throw("58P01", "the transport library of sink \"" + sink + "\" has no entry " + entry);
    }
    return factory;
}

}  // namespace

std::unique_ptr<sink::Transport> LoadTransport(const Definition& definition) {
    const pipeline::BrokerOptions options =
        pg::ValueOrThrow(pipeline::ParseBrokerOptions(definition.format, definition.options_json));
    const sink::ConnectionFile file =
        pg::ValueOrThrow(sink::ParseConnectionFile(ReadConnectionFile()));
    const sink::ConnectionProperties connection =
        pg::ValueOrThrow(sink::FindConnection(file, options.connection));
    const sink::TransportOptions transport = pipeline::MakeTransportOptions(options, connection);
    core::Error error;
    sink::Transport* made = OpenFactory(definition.sink)(&transport, &error);
    if (made == nullptr) {
        throw pg::StatusError(error);
    }
    return std::unique_ptr<sink::Transport>(made);
}

}  // namespace bitvelocity::stream
