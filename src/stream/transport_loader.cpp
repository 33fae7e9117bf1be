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

// `name`: of the shared object, bitvelocity_<name>.so; `what` it is, for errors.
template <typename Factory>
Factory OpenFactory(const std::string& name, const std::string& entry, const std::string& what) {
    const std::string path = std::string(pkglib_path) + "/bitvelocity_" + name + ".so";
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* reason = dlerror();
        pg::Throw("58P01", "could not load " + what, reason != nullptr ? reason : "",
                  "Install the library it names.");
    }
    auto factory = reinterpret_cast<Factory>(dlsym(library, entry.c_str()));
    if (factory == nullptr) {
        pg::Throw("58P01", "the library of " + what + " has no entry " + entry);
    }
    return factory;
}

sink::ConnectionProperties ReadConnection(const pipeline::BrokerOptions& options) {
    const sink::ConnectionFile file =
        pg::ValueOrThrow(sink::ParseConnectionFile(ReadConnectionFile()));
    return pg::ValueOrThrow(sink::FindConnection(file, options.connection));
}

}  // namespace

std::string LoadSalt(const Definition& definition) {
    const pipeline::BrokerOptions options =
        pg::ValueOrThrow(pipeline::ParseBrokerOptions(definition.format, definition.options_json));
    for (const auto& [name, value] : ReadConnection(options)) {
        if (name == "mask.salt" && !value.empty()) {
            return value;
        }
    }
    pg::Throw(core::kConfigFileError, "connection \"" + options.connection + "\" has no mask.salt",
              "A mask \"sha256\" needs a salt that nobody can read in SQL.",
              "Write mask.salt = ... into the file that bitvelocity.connection_file names.");
}

std::unique_ptr<sink::Transport> LoadTransport(const Definition& definition,
                                               const core::Source& source) {
    const pipeline::BrokerOptions options =
        pg::ValueOrThrow(pipeline::ParseBrokerOptions(definition.format, definition.options_json));
    const sink::TransportOptions transport =
        pipeline::MakeTransportOptions(options, source, ReadConnection(options));
    core::Error error;
    const auto factory = OpenFactory<sink::TransportFactory>(
        definition.sink, "bitvelocity_" + definition.sink + "_transport",
        "the transport of sink \"" + definition.sink + "\"");
    sink::Transport* made = factory(&transport, &error);
    if (made == nullptr) {
        throw pg::StatusError(error);
    }
    return std::unique_ptr<sink::Transport>(made);
}

std::unique_ptr<sink::registry::HttpClient> LoadRegistry(const Definition& definition) {
    if (definition.format != "avro") {
        return nullptr;
    }
    const pipeline::BrokerOptions options =
        pg::ValueOrThrow(pipeline::ParseBrokerOptions(definition.format, definition.options_json));
    const sink::registry::HttpOptions http = pipeline::MakeRegistryOptions(ReadConnection(options));
    core::Error error;
    const auto factory = OpenFactory<sink::registry::HttpClientFactory>(
        "registry", sink::registry::kHttpClientFactory, "the client of the schema registry");
    sink::registry::HttpClient* made = factory(&http, &error);
    if (made == nullptr) {
        throw pg::StatusError(error);
    }
    return std::unique_ptr<sink::registry::HttpClient>(made);
}

}  // namespace bitvelocity::stream
