// The program's log: one line an entry, on stderr, as text or JSON.
//
// Messages are lower-case and constant, keys are constant, what varies is a field. Never a row's
// values, never a password.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "cdc/daemon/wall_time.hpp"
#include "config/settings.hpp"

namespace pgcourier::cdc::daemon::log {

using Level = config::LogLevel;
using Format = config::LogFormat;

struct Field {
  std::string_view key;  // snake_case; not ts, level or msg
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;
};
using Fields = std::initializer_list<Field>;

// Before the first call everything from info on is written, in the format `auto`. May be called
// again (SIGHUP).
void init(Level level, Format format);

// Also from other threads, at any time.
void set_level(Level level);
bool enabled(Level level);

// From any thread. Never throws: a line that can't be written is lost.
void write(Level level, std::string_view message, Fields fields = {}) noexcept;

inline void debug(std::string_view message, Fields fields = {}) noexcept {
  write(Level::debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) noexcept {
  write(Level::info, message, fields);
}
inline void warn(std::string_view message, Fields fields = {}) noexcept {
  write(Level::warn, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) noexcept {
  write(Level::error, message, fields);
}

// The lines themselves, without the line end.
//   {"ts":"2026-11-22T10:00:00.123Z","level":"info","msg":"slot created","slot":"shop"}
//   2026-11-22T10:00:00.123Z info  slot created slot=shop
// Bytes that are not UTF-8 become U+FFFD. In text, a value that is not plain ASCII without spaces,
// quotes and "=" is quoted as in JSON: one entry is always one line.
std::string json_line(WallTime time, Level level, std::string_view message, Fields fields);
std::string text_line(WallTime time, Level level, std::string_view message, Fields fields);

}  // namespace pgcourier::cdc::daemon::log
