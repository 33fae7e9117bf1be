// Secrets: which property names of brokers, registries and object stores carry secrets.
//
// The rule errs on the side of secrecy: a name counts when one of its words says so (password,
// secret, token, key material). Values of such names never reach a log, a view, an error or a
// catalogue. Any thread.
#pragma once

#include <string_view>

namespace bitvelocity::core {

[[nodiscard]] bool IsSecretName(std::string_view name);

}  // namespace bitvelocity::core
