#include "core/failpoint.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include <poll.h>
#include <unistd.h>

namespace bitvelocity::core {

namespace {

constexpr std::string_view kNames[] = {"none",
#define BV_FAILPOINT_NAME(name) #name,
                                       BV_FAILPOINTS(BV_FAILPOINT_NAME)
#undef BV_FAILPOINT_NAME
};

enum class Action : std::uint8_t { kError, kSleep, kKill, kKillServer, kStopImmediate };
constexpr std::string_view kActions[] = {"error", "sleep", "kill", "kill_server", "stop_immediate"};
constexpr int kSleepMs = 500;

// Of the armed place. Plain data: hit inside callbacks that an ERROR may jump out of.
Action armed_action = Action::kError;
int hits_left = 0;
char armed_file[256] = "";

template <std::size_t N>
std::size_t IndexOf(const std::string_view (&names)[N], const std::string& name) {
    return static_cast<std::size_t>(std::find(std::begin(names), std::end(names), name) - names);
}

}  // namespace

constinit Failpoint armed_failpoint = Failpoint::none;

Status ArmFailpoint(const char* file) {
    armed_failpoint = Failpoint::none;
    if (access(file, F_OK) != 0) {
        return Status::Ok();
    }
    std::ifstream in(file);
    std::string line;
    if (!std::getline(in, line)) {
        return Status::Ok();  // somebody has just hit it
    }
    std::istringstream words(line);
    std::string place;
    std::string action;
    int hit = 1;
    words >> place >> action;
    if (!words.eof() && !(words >> std::ws).eof()) {
        words >> hit;
    }
    const std::size_t point = IndexOf(kNames, place);
    const std::size_t what = IndexOf(kActions, action);
    if (point == 0 || point == std::size(kNames) || what == std::size(kActions) || words.fail() ||
        hit < 1) {
        return Status::Fail(kInvalidParameter, "invalid failpoint \"" + line + "\"");
    }
    std::snprintf(armed_file, sizeof(armed_file), "%s", file);
    armed_action = static_cast<Action>(what);
    hits_left = hit;
    armed_failpoint = static_cast<Failpoint>(point);
    return Status::Ok();
}

bool HitFailpoint() {
    if (--hits_left > 0) {
        return false;
    }
    const Failpoint point = armed_failpoint;
    armed_failpoint = Failpoint::none;
    if (unlink(armed_file) != 0) {
        return false;  // another process was first, or the test is over
    }
    (void)std::fprintf(stderr, "failpoint %s: %s in process %d\n",
                       kNames[static_cast<std::size_t>(point)].data(),
                       kActions[static_cast<std::size_t>(armed_action)].data(), getpid());
    switch (armed_action) {
        case Action::kError:
            return true;
        case Action::kSleep:
            (void)poll(nullptr, 0, kSleepMs);
            return false;
        case Action::kKillServer:
            (void)kill(getppid(), SIGKILL);
            [[fallthrough]];
        case Action::kKill:
            (void)kill(getpid(), SIGKILL);
            return false;
        case Action::kStopImmediate:
            (void)kill(getppid(), SIGQUIT);
            return false;
    }
    return false;
}

std::string_view FailpointName(Failpoint point) {
    return kNames[static_cast<std::size_t>(point)];
}

}  // namespace bitvelocity::core
