#include "core/failpoint.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace bitvelocity::core {
namespace {

class FailpointTest : public ::testing::Test {
  protected:
    void Arm(const std::string& line) {
        std::ofstream(file_) << line << '\n';
        status_ = ArmFailpoint(file_.c_str());
    }
    bool FileIsThere() const { return access(file_.c_str(), F_OK) == 0; }
    void TearDown() override {
        (void)std::remove(file_.c_str());
        (void)ArmFailpoint(file_.c_str());
    }

    std::string file_ = testing::TempDir() + "failpoint." + std::to_string(getpid());
    Status status_;
};

TEST_F(FailpointTest, NothingIsArmedWithoutFile) {
    EXPECT_TRUE(ArmFailpoint(file_.c_str()).ok());
    EXPECT_EQ(armed_failpoint, Failpoint::none);
    EXPECT_TRUE(PassFailpoint(Failpoint::deliverer_sent).ok());
}

TEST_F(FailpointTest, FailsOnceAtTheHitThatWasAskedFor) {
    Arm("deliverer_sent error 3");
    ASSERT_TRUE(status_.ok());
    EXPECT_TRUE(PassFailpoint(Failpoint::deliverer_fed).ok());
    EXPECT_TRUE(PassFailpoint(Failpoint::deliverer_sent).ok());
    EXPECT_TRUE(PassFailpoint(Failpoint::deliverer_sent).ok());
    EXPECT_TRUE(FileIsThere());
    const Status hit = PassFailpoint(Failpoint::deliverer_sent);
    ASSERT_FALSE(hit.ok());
    EXPECT_EQ(hit.error().message, "failpoint deliverer_sent");
    EXPECT_FALSE(FileIsThere());
    EXPECT_TRUE(PassFailpoint(Failpoint::deliverer_sent).ok());
}

TEST_F(FailpointTest, HappensInOneProcessOnly) {
    Arm("decoder_sent error");
    (void)std::remove(file_.c_str());  // another process was first
    EXPECT_TRUE(PassFailpoint(Failpoint::decoder_sent).ok());
}

TEST_F(FailpointTest, KillsItsProcess) {
    Arm("decoder_sent kill");
    const pid_t child = fork();
    if (child == 0) {
        (void)PassFailpoint(Failpoint::decoder_sent);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

TEST_F(FailpointTest, RefusesWhatItDoesNotKnow) {
    for (const char* line : {"nowhere kill", "none kill", "decoder_sent dance", "decoder_sent",
                             "decoder_sent kill 0", "decoder_sent kill x"}) {
        Arm(line);
        EXPECT_FALSE(status_.ok()) << line;
        EXPECT_EQ(armed_failpoint, Failpoint::none) << line;
    }
}

}  // namespace
}  // namespace bitvelocity::core
