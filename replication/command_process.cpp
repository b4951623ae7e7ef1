#include "replication/command_process.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "protocol/oauth_client.hpp"
#include "replication/oauth_token.hpp"

namespace pgcourier::replication {
namespace {

constexpr std::size_t most_output_bytes = protocol::max_oauth_token_bytes + 2;  // and a newline
constexpr std::size_t kept_error_bytes = 500;

std::string reason(int error) { return std::generic_category().message(error); }

// <sys/pidfd.h> of glibc 2.36 declares it as if it were C++.
int pidfd_open(pid_t process) { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }

constexpr std::size_t pipe_bytes = 64 * 1024;

// Appends what is there; a pipe holds no more. At its end it is closed, else it would wake us on.
void read_now(Descriptor& end, std::string& into) {
  std::array<char, pipe_bytes> bytes;
  const auto count = ::read(end.number(), bytes.data(), bytes.size());
  if (count > 0) {
    into.append(bytes.data(), static_cast<std::size_t>(count));
    OPENSSL_cleanse(bytes.data(), static_cast<std::size_t>(count));
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    end.reset();
  }
}

// Attributes and file actions of posix_spawn(): no signal of ours blocked or ignored, a process
// group of its own, and no descriptor but the three.
class SpawnOptions {
 public:
  SpawnOptions(int output, int errors) {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_init(&actions_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, errors, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
  }
  ~SpawnOptions() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;

  const posix_spawnattr_t* attributes() const { return &attributes_; }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t actions_;
};

}  // namespace

void Descriptor::reset(int number) {
  if (number_ >= 0) ::close(number_);
  number_ = number;
}

CommandProcess::CommandProcess(const std::vector<std::string>& command,
                               std::chrono::milliseconds limit)
    : command_(command), limit_(limit) {
  std::array<int, 2> output{}, errors{};
  if (::pipe2(output.data(), O_CLOEXEC) != 0) fail("can't make a pipe: " + reason(errno));
  output_end_.reset(output[0]);
  const Descriptor their_output(output[1]);
  if (::pipe2(errors.data(), O_CLOEXEC) != 0) fail("can't make a pipe: " + reason(errno));
  errors_end_.reset(errors[0]);
  const Descriptor their_errors(errors[1]);
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  ::fcntl(errors[0], F_SETFL, O_NONBLOCK);
  events_.reset(::epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
  itimerspec expiry{};
  expiry.it_value.tv_sec = seconds.count();
  expiry.it_value.tv_nsec = std::chrono::nanoseconds(limit - seconds).count();
  if (::timerfd_settime(timer_.number(), 0, &expiry, nullptr) != 0) fail(reason(errno));
  start(output[1], errors[1]);
}

CommandProcess::~CommandProcess() {
  kill_group();
  OPENSSL_cleanse(output_.data(), output_.size());
}

void CommandProcess::start(int output, int errors) {
  std::vector<char*> arguments;
  for (std::string& word : command_) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const SpawnOptions options(output, errors);
  const int error = ::posix_spawn(&process_, arguments.front(), options.actions(),
                                  options.attributes(), arguments.data(), environ);
  if (error != 0) {
    process_ = -1;
    const std::string why = "can't be started: " + reason(error);
    if (error == EAGAIN || error == ENOMEM || error == ETXTBSY) fail(why);
    throw config::SettingsError("source.oauth_token_command: " + command_.front() + " " + why);
  }
  try {
    process_end_.reset(pidfd_open(process_));
    if (process_end_.number() < 0) fail("can't be watched: " + reason(errno));
    for (const Descriptor* end : {&output_end_, &errors_end_, &process_end_, &timer_}) {
      watch(end->number());
    }
  } catch (const TokenCommandError&) {
    kill_group();
    throw;
  }
}

void CommandProcess::watch(int descriptor) const {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(events_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0) fail(reason(errno));
}

int CommandProcess::share_events() const {
  const int shared = ::fcntl(events_.number(), F_DUPFD_CLOEXEC, 0);
  if (shared < 0) fail(reason(errno));
  return shared;
}

void CommandProcess::proceed() {
  siginfo_t end{};
  ::waitid(P_PID, static_cast<id_t>(process_), &end, WEXITED | WNOHANG | WNOWAIT);
  // With what it left behind, and while its number can't be another's. What was written by then is
  // in the pipes.
  if (end.si_pid == process_) kill_group();
  read_now(output_end_, output_);
  read_now(errors_end_, errors_);
  if (errors_.size() > kept_error_bytes) errors_.erase(0, errors_.size() - kept_error_bytes);
  if (output_.size() > most_output_bytes) {
    fail("printed more than a token can have: " + std::to_string(protocol::max_oauth_token_bytes) +
         " bytes");
  }
  std::uint64_t expiries = 0;
  if (!ended() && ::read(timer_.number(), &expiries, sizeof(expiries)) > 0) {
    fail("did not end within " + std::to_string(limit_.count()) + " ms");
  }
}

std::string CommandProcess::take_output() {
  if (WIFSIGNALED(status_)) {
    fail("was ended by signal " + std::to_string(WTERMSIG(status_)));
  }
  if (WEXITSTATUS(status_) != 0) {
    fail("ended with exit status " + std::to_string(WEXITSTATUS(status_)));
  }
  if (output_.ends_with('\n')) output_.pop_back();
  if (output_.ends_with('\r')) output_.pop_back();
  if (output_.empty()) fail("printed no token");
  return std::move(output_);
}

void CommandProcess::kill_group() {
  if (process_ < 0) return;
  ::kill(-process_, SIGKILL);
  ::waitpid(process_, &status_, 0);
  process_ = -1;
}

void CommandProcess::fail(const std::string& why) const {
  std::string text = "source.oauth_token_command: " + command_.front() + " " + why;
  if (!errors_.empty()) text += "; its stderr: ";
  for (const char c : errors_) text += c < 0x20 || c > 0x7e ? ' ' : c;
  throw TokenCommandError(text);
}

}  // namespace pgcourier::replication
