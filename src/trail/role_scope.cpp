#include "trail/role_scope.hpp"

#include "pg/postgres.hpp"

namespace bitvelocity::trail {

RoleScope::RoleScope(std::uint32_t owner) {
    GetUserIdAndSecContext(&role_, &context_);
    SetUserIdAndSecContext(owner,
                           context_ | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}

RoleScope::~RoleScope() noexcept {
    SetUserIdAndSecContext(role_, context_);
}

}  // namespace bitvelocity::trail
