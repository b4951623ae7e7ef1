#include "cdc/daemon/instance_lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "cdc/daemon/stop_error.hpp"
#include "tests/daemon/scratch_folder.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using test::ScratchFolder;
using test::WithoutRoot;
using testing::HasSubstr;

std::string own_pid() { return std::to_string(::getpid()); }

std::optional<InstanceLock> taken(const std::filesystem::path& path, const std::string& slot) {
  auto result = InstanceLock::take(path, slot);
  auto* lock = std::get_if<InstanceLock>(&result);
  return lock ? std::optional(std::move(*lock)) : std::nullopt;
}

LockHolder holder_of(const std::filesystem::path& path, const std::string& wanted_slot) {
  auto result = InstanceLock::take(path, wanted_slot);
  const auto* holder = std::get_if<LockHolder>(&result);
  EXPECT_TRUE(holder) << "the lock was free";
  return holder ? *holder : LockHolder{};
}

std::string refusal_of(const std::filesystem::path& path) {
  try {
    InstanceLock::take(path, "shop");
  } catch (const StopError& error) {
    EXPECT_EQ(error.exit_code(), 77);
    return error.what();
  }
  ADD_FAILURE() << path << " was taken";
  return {};
}

// Another process that has the lock; killed by stop() or the destructor.
class OtherProcess {
 public:
  OtherProcess(const std::filesystem::path& path, const std::string& slot) {
    int ready[2];
    if (::pipe(ready) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto lock = taken(path, slot);
      if (lock && ::write(ready[1], "+", 1) == 1) ::pause();
      ::_exit(1);
    }
    ::close(ready[1]);
    char told = 0;
    holds_ = ::read(ready[0], &told, 1) == 1;
    ::close(ready[0]);
  }
  ~OtherProcess() { stop(); }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }
  bool holds() const { return holds_; }
  std::string pid() const { return std::to_string(pid_); }

 private:
  pid_t pid_ = 0;
  bool holds_ = false;
};

TEST(InstanceLock, IsTakenInAFolderThatItMakes) {
  const ScratchFolder folder;
  const auto path = folder.path() / "state" / "deeper" / "shop.lock";
  EXPECT_TRUE(taken(path, "shop"));
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(InstanceLock, NamesSlotAndProcessInItsFile) {
  const ScratchFolder folder;
  const auto lock = taken(folder / "shop.lock", "shop_slot");
  ASSERT_TRUE(lock);
  EXPECT_EQ(folder.read("shop.lock"), "shop_slot " + own_pid() + "\n");
}

TEST(InstanceLock, TakenTwiceTellsTheSecondWhoHasIt) {
  const ScratchFolder folder;
  const auto lock = taken(folder / "shop.lock", "shop_slot");
  ASSERT_TRUE(lock);
  const auto holder = holder_of(folder / "shop.lock", "another_slot");
  EXPECT_EQ(holder.slot, "shop_slot");
  EXPECT_EQ(holder.pid, own_pid());
  EXPECT_EQ(folder.read("shop.lock"), "shop_slot " + own_pid() + "\n");  // left as it was
}

TEST(InstanceLock, OfAnotherProcessLastsAsLongAsThatProcess) {
  const ScratchFolder folder;
  OtherProcess other(folder / "shop.lock", "theirs");
  ASSERT_TRUE(other.holds());
  const auto holder = holder_of(folder / "shop.lock", "ours");
  EXPECT_EQ(holder.slot, "theirs");
  EXPECT_EQ(holder.pid, other.pid());

  other.stop();
  EXPECT_THAT(folder.read("shop.lock"), testing::StartsWith("theirs "));  // stale, and no obstacle
  EXPECT_FALSE(InstanceLock::find_holder(folder / "shop.lock"));
  const auto lock = taken(folder / "shop.lock", "ours");
  ASSERT_TRUE(lock);
  EXPECT_EQ(folder.read("shop.lock"), "ours " + own_pid() + "\n");
}

TEST(InstanceLock, WritesOverALongerStaleLine) {
  const ScratchFolder folder;
  folder.write("shop.lock", std::string(300, 'x') + " 4711\nand more\n");
  const auto lock = taken(folder / "shop.lock", "shop");
  ASSERT_TRUE(lock);
  EXPECT_EQ(folder.read("shop.lock"), "shop " + own_pid() + "\n");
}

TEST(InstanceLock, IsGivenBackByItsDestructorAndTheFileStays) {
  const ScratchFolder folder;
  { const auto lock = taken(folder / "shop.lock", "shop"); }
  EXPECT_TRUE(std::filesystem::exists(folder / "shop.lock"));
  EXPECT_TRUE(taken(folder / "shop.lock", "shop"));
}

TEST(InstanceLock, MovesWithItsOwner) {
  const ScratchFolder folder;
  auto first = taken(folder / "first.lock", "shop");
  auto second = taken(folder / "second.lock", "shop");
  ASSERT_TRUE(first && second);
  {
    const InstanceLock moved = std::move(*first);
    EXPECT_TRUE(InstanceLock::find_holder(folder / "first.lock"));
  }
  EXPECT_FALSE(InstanceLock::find_holder(folder / "first.lock"));
  *first = std::move(*second);
  second.reset();
  EXPECT_TRUE(InstanceLock::find_holder(folder / "second.lock"));
}

TEST(InstanceLock, OfAFileThatNamesNobodyIsHeldAllTheSame) {
  for (const char* text : {"", "shop", "\n"}) {
    const ScratchFolder folder;
    const auto lock = taken(folder / "shop.lock", "shop");
    folder.write("shop.lock", text);
    const auto holder = holder_of(folder / "shop.lock", "shop");
    EXPECT_EQ(holder.slot + holder.pid, "") << '\'' << text << '\'';
  }
}

TEST(InstanceLock, LooksForAHolderWithoutChangingAnything) {
  const ScratchFolder folder;
  EXPECT_FALSE(InstanceLock::find_holder(folder / "shop.lock"));
  EXPECT_FALSE(std::filesystem::exists(folder / "shop.lock"));

  folder.write("shop.lock", "shop 4711\n");
  EXPECT_FALSE(InstanceLock::find_holder(folder / "shop.lock"));
  EXPECT_EQ(folder.read("shop.lock"), "shop 4711\n");

  const auto lock = taken(folder / "shop.lock", "shop");
  const auto holder = InstanceLock::find_holder(folder / "shop.lock");
  ASSERT_TRUE(holder);
  EXPECT_EQ(holder->slot, "shop");
  EXPECT_EQ(holder->pid, own_pid());
}

TEST(InstanceLock, SaysWhyAFolderCantBeUsed) {
  const ScratchFolder folder;
  folder.write("file", "in the way");
  std::filesystem::create_directory(folder / "shop.lock");
  struct Case {
    std::filesystem::path path;
    const char* reason;
  };
  const Case cases[] = {
      {folder / "file/shop.lock", "Not a directory"},
      {folder / "file/deeper/shop.lock", "Not a directory"},
      {folder / "shop.lock", "Is a directory"},
  };
  for (const auto& [path, reason] : cases) {
    EXPECT_EQ(refusal_of(path),
              path.string() + ": " + reason + "; the folder must be writable for this user");
  }
}

TEST(InstanceLock, SaysThatAFolderIsNotWritableAndMakesNothing) {
  const ScratchFolder folder;
  folder.write_protect();
  const WithoutRoot nobody;
  for (const char* path : {"shop.lock", "new/shop.lock", "new/deeper/shop.lock"}) {
    EXPECT_THAT(refusal_of(folder / path), HasSubstr(": Permission denied; the folder must be"))
        << path;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
