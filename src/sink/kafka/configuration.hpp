// Configuration: transport properties -> librdkafka's configuration, with the defaults of a stream.
//
// Hides which properties a stream sets itself, which it must not be given, and which are secret.
// Errors (22023, F0000) name the property, never a secret's value. Deliverer, main thread.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>
#include <vector>

#include "core/status.hpp"
#include "sink/transport.hpp"

namespace bitvelocity::sink::kafka {

struct ConfigurationDeleter {
    void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfigurationPtr = std::unique_ptr<rd_kafka_conf_t, ConfigurationDeleter>;

// The linger of a producer that is pushed; a user's own replaces it, and then nothing is pushed.
inline constexpr char kPushedLingerMs[] = "1000";

// The value that is in force, or empty.
[[nodiscard]] std::string Get(const rd_kafka_conf_t* conf, const char* name);

// Removes secrets from texts of the client library before anybody sees them.
class Redactor {
  public:
    explicit Redactor(const TransportOptions& options);
    [[nodiscard]] std::string Clean(std::string text) const;

  private:
    std::vector<std::string> secrets_;
};

// A later property replaces an earlier one of the same name.
[[nodiscard]] core::Result<ConfigurationPtr> MakeConfiguration(const TransportOptions& options,
                                                               const Redactor& redactor);

}  // namespace bitvelocity::sink::kafka
