// A folder that goes with its test, and the rights of somebody who is not root.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace pgcourier::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "pgcourier-daemon-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

  void write(const char* name, std::string_view text) const { std::ofstream(path_ / name) << text; }
  std::string read(const char* name) const {
    std::ifstream file(path_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Everybody may look, nobody but root may write.
  void write_protect() const {
    using std::filesystem::perms;
    std::filesystem::permissions(path_, perms::owner_read | perms::owner_exec | perms::group_read |
                                            perms::group_exec | perms::others_read |
                                            perms::others_exec);
  }

 private:
  std::filesystem::path path_;
};

// Root may write anywhere: while this lives, root is nobody.
class WithoutRoot {
 public:
  WithoutRoot() : was_root_(::geteuid() == 0) {
    constexpr uid_t nobody = 65534;
    if (was_root_ && ::seteuid(nobody) != 0) throw std::runtime_error("seteuid");
  }
  ~WithoutRoot() {
    if (was_root_ && ::seteuid(0) != 0) ::abort();
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;

 private:
  bool was_root_;
};

}  // namespace pgcourier::test
