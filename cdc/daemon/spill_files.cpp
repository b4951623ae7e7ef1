#include "cdc/daemon/spill_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <system_error>

#include "cdc/session_limits.hpp"

namespace pgcourier::cdc::daemon {

namespace {

[[noreturn]] void fail(const std::filesystem::path& folder, const std::string& reason) {
  throw SpillError("a streamed transaction can't be kept in " + folder.string() + ": " + reason);
}

std::string reason_of(int error) { return std::generic_category().message(error); }

std::uint32_t checksum_of(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

class File : public SpillFile {
 public:
  File(int descriptor, std::filesystem::path folder)
      : descriptor_(descriptor), folder_(std::move(folder)) {}
  ~File() override { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  std::uint32_t write(std::uint64_t offset, std::string_view bytes) override {
    for (std::size_t done = 0; done < bytes.size();) {
      const auto count = ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + done));
      if (count < 0 && errno != EINTR) fail(folder_, reason_of(errno));
      if (count > 0) done += static_cast<std::size_t>(count);
    }
    return checksum_of(bytes);
  }

  void read(std::uint64_t offset, std::string& into, std::uint32_t checksum) override {
    for (std::size_t done = 0; done < into.size();) {
      const auto count = ::pread(descriptor_, into.data() + done, into.size() - done,
                                 static_cast<off_t>(offset + done));
      if (count == 0) fail(folder_, "its file is shorter than what was written");
      if (count < 0 && errno != EINTR) fail(folder_, reason_of(errno));
      if (count > 0) done += static_cast<std::size_t>(count);
    }
    if (checksum_of(into) != checksum) fail(folder_, "its checksum is wrong: a failing disk?");
  }

 private:
  int descriptor_;
  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<SpillFile> SpillFiles::make_file() {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) fail(folder_, error.message());
  std::string path = (folder_ / "transaction-XXXXXX").string();
  const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
  if (descriptor < 0 && (errno == EMFILE || errno == ENFILE)) {
    throw StreamingGivenUp(
        "no file descriptor is left for a streamed transaction: those that are open are asked for"
        " again, without streaming (raise LimitNOFILE, ulimit -n)");
  }
  if (descriptor < 0) fail(folder_, reason_of(errno));
  ::unlink(path.c_str());
  return std::make_unique<File>(descriptor, folder_);
}

}  // namespace pgcourier::cdc::daemon
