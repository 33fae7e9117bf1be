// What _PG_init installs, in one place.

#include "worker/commands.hpp"
#include "worker/launcher.hpp"
#include "worker/notify.hpp"
#include "worker/registry.hpp"
#include "worker/worker.hpp"

namespace bitvelocity::worker {

void Install() {
    InstallRegistry();
    InstallLauncher();
    InstallNotify();
    InstallCommands();
}

}  // namespace bitvelocity::worker
