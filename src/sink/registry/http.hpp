// HttpClient: one request after the other to a schema registry, without ever blocking.
//
// Where the registry is and who we are there (URL, credentials, certificates) is the client's
// alone; requests are paths below it. The client lives in a shared object of its own, reached
// through one C function, so that no ordinary backend maps an HTTP library. Owner: the deliverer,
// main thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/status.hpp"

namespace bitvelocity::sink::registry {

struct Request {
    std::string method;
    std::string path;  // "/subjects/...", percent-encoded
    std::string body;  // JSON, or empty
};

struct Response {
    int status = 0;
    std::string body;
};

struct Progress {
    bool done = false;
    Response response;
};

class HttpClient {
  public:
    virtual ~HttpClient() = default;
    // Gives up a request that is still running. Errors as Poll.
    virtual core::Status Start(const Request& request) = 0;
    // Never blocks. An error (08006): the registry could not be reached, or not within its time; no
    // text carries a secret.
    virtual core::Result<Progress> Poll() = 0;
    // Readable when Poll has something to do; and how long to wait for that at most, in
    // milliseconds.
    [[nodiscard]] virtual int wake_fd() const = 0;
    [[nodiscard]] virtual std::int64_t wait_ms() const = 0;
};

// The properties `schema.registry.*` of a connection, secrets included; never logged, never shown.
struct HttpOptions {
    std::vector<std::pair<std::string, std::string>> properties;
};

inline constexpr std::string_view kPropertyPrefix = "schema.registry.";

// The one entry of bitvelocity_registry.so. On failure returns null and fills `error`.
using HttpClientFactory = HttpClient* (*)(const HttpOptions* options, core::Error* error);
inline constexpr char kHttpClientFactory[] = "bitvelocity_registry_client";

}  // namespace bitvelocity::sink::registry
