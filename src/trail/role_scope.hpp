// RoleScope: acts as a table's owner in a security-restricted operation, without the price of a
// level of settings (pg::OwnerScope): only around what runs no code of a user. Main thread.
#pragma once

#include <cstdint>

namespace bitvelocity::trail {

class RoleScope {
  public:
    explicit RoleScope(std::uint32_t owner);
    ~RoleScope() noexcept;
    RoleScope(const RoleScope&) = delete;
    RoleScope& operator=(const RoleScope&) = delete;

  private:
    std::uint32_t role_ = 0;
    int context_ = 0;
};

}  // namespace bitvelocity::trail
