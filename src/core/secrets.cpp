#include "core/secrets.hpp"

#include <algorithm>
#include <cctype>
#include <string>

namespace bitvelocity::core {

bool IsSecretName(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // Certificates are public, yet `.pem` values may hold a key beside them.
    for (const char* word :
         {"password", "passphrase", "secret", "token", "credential", ".pem", "private", "user.info",
          "userinfo", "oauthbearer.config", "jaas.config", "api.key", "access.key", "kinit.cmd"}) {
        if (lower.find(word) != std::string::npos) {
            return !lower.ends_with("token.endpoint.url");
        }
    }
    return false;
}

}  // namespace bitvelocity::core
