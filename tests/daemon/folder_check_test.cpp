#include "cdc/daemon/checks/folder_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cdc/daemon/instance_lock.hpp"
#include "tests/daemon/scratch_folder.hpp"

namespace pgcourier::cdc::daemon {
namespace {

using test::ScratchFolder;
using testing::EndsWith;
using testing::HasSubstr;

Finding found(const std::filesystem::path& folder, const std::string& slot = "shop") {
  Findings findings;
  check_folder("state_dir", folder, folder / "shop.lock", slot, findings);
  EXPECT_EQ(findings.all().size(), 1u);
  EXPECT_EQ(findings.all().front().name, "state_dir");
  return findings.all().front();
}

TEST(CheckFolder, TakesOneThatIsWritableAndLeavesItEmpty) {
  const ScratchFolder folder;
  const auto finding = found(folder.path());
  EXPECT_EQ(finding.severity, Severity::ok);
  EXPECT_EQ(finding.what, folder.path().string() + " is writable");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(CheckFolder, TakesARelativeOneForWhatItIs) {
  const auto finding = found(".");
  EXPECT_EQ(finding.severity, Severity::ok);
  EXPECT_EQ(finding.what, ". is writable");
}

TEST(CheckFolder, SaysThatRunWillMakeIt) {
  const ScratchFolder folder;
  const auto finding = found(folder / "new/deeper");
  EXPECT_EQ(finding.severity, Severity::ok);
  EXPECT_THAT(finding.what, EndsWith("new/deeper will be created"));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(CheckFolder, RefusesAFileInItsPlace) {
  const ScratchFolder folder;
  folder.write("file", "in the way");
  for (const char* path : {"file", "file/deeper"}) {
    const auto finding = found(folder / path);
    EXPECT_EQ(finding.exit_code, 77) << path;
    EXPECT_EQ(finding.what, (folder / "file").string() + " is not a folder");
  }
}

TEST(CheckFolder, RefusesOneThisUserMayNotWriteTo) {
  const ScratchFolder folder;
  folder.write_protect();
  const test::WithoutRoot nobody;
  for (const char* path : {".", "new", "new/deeper"}) {
    const auto finding = found(folder / path);
    EXPECT_EQ(finding.exit_code, 77) << path;
    EXPECT_THAT(finding.what, EndsWith(": Permission denied"));
    EXPECT_EQ(finding.remedy, "make it writable for this user");
  }
}

TEST(CheckFolder, RefusesALockFileThisUserMayNotWriteTo) {
  const ScratchFolder folder;
  folder.write("shop.lock", "shop 4711\n");
  std::filesystem::permissions(folder / "shop.lock", std::filesystem::perms::owner_read);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const test::WithoutRoot nobody;
  const auto finding = found(folder.path());
  EXPECT_EQ(finding.exit_code, 77);
  EXPECT_EQ(finding.what, (folder / "shop.lock").string() + ": Permission denied");
}

TEST(CheckFolder, TellsARunOfThisPipelineFromOneOfAnotherSlot) {
  const ScratchFolder folder;
  const auto taken = InstanceLock::take(folder / "shop.lock", "shop");
  ASSERT_TRUE(std::holds_alternative<InstanceLock>(taken));
  const std::string process = "process " + std::to_string(::getpid());

  const auto ours = found(folder.path(), "shop");
  EXPECT_EQ(ours.severity, Severity::ok);
  EXPECT_THAT(ours.what, EndsWith(" is writable, in use by " + process));

  const auto theirs = found(folder.path(), "stock");
  EXPECT_EQ(theirs.exit_code, 78);
  EXPECT_THAT(theirs.what,
              HasSubstr("is locked by " + process + ", which feeds from the slot shop"));
}

}  // namespace
}  // namespace pgcourier::cdc::daemon
