#include "protocol/authentication_policy.hpp"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "protocol/authentication_error.hpp"

namespace pgcourier::protocol {
namespace {

constexpr std::uint8_t all_methods = 0x7f;

constexpr std::array<std::pair<std::string_view, AuthenticationMethod>, 7> method_names = {{
    {"password", AuthenticationMethod::password},
    {"md5", AuthenticationMethod::md5},
    {"gss", AuthenticationMethod::gss},
    {"sspi", AuthenticationMethod::sspi},
    {"scram-sha-256", AuthenticationMethod::scram_sha_256},
    {"oauth", AuthenticationMethod::oauth},
    {"none", AuthenticationMethod::none},
}};

constexpr std::uint8_t bit(AuthenticationMethod method) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(method));
}

std::string_view name_of(AuthenticationMethod method) {
  for (const auto& [name, candidate] : method_names) {
    if (candidate == method) return name;
  }
  return "unknown";
}

std::optional<AuthenticationMethod> method_of(std::string_view name) {
  for (const auto& [candidate, method] : method_names) {
    if (candidate == name) return method;
  }
  return {};
}

[[noreturn]] void throw_setting(std::string_view setting, std::string_view value,
                                std::string_view reason) {
  throw AuthenticationError(std::string(setting) + ": \"" + std::string(value) + "\" " +
                            std::string(reason));
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\r\f\v";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::uint8_t parse_require_auth(std::string_view list) {
  if (list.empty()) return all_methods;
  std::uint8_t named = 0;
  std::optional<bool> negated;
  for (std::size_t at = 0; at <= list.size();) {
    auto name = list.substr(at, list.find(',', at) - at);
    at += name.size() + 1;
    name = trimmed(name);
    const bool negation = name.starts_with('!');
    if (negation) name.remove_prefix(1);
    const auto method = method_of(name);
    if (!method) throw_setting("require_auth", name, "is not a method");
    if (negated.value_or(negation) != negation) {
      throw_setting("require_auth", name, "mixes methods with and without \"!\"");
    }
    negated = negation;
    if ((named & bit(*method)) != 0) throw_setting("require_auth", name, "is named twice");
    named = static_cast<std::uint8_t>(named | bit(*method));
  }
  return *negated ? static_cast<std::uint8_t>(all_methods & ~named) : named;
}

}  // namespace

AuthenticationPolicy::AuthenticationPolicy(std::string_view require_auth,
                                           std::string_view channel_binding)
    : allowed_methods_(parse_require_auth(require_auth)), binding_(Binding::prefer) {
  if (channel_binding == "disable") {
    binding_ = Binding::disable;
  } else if (channel_binding == "require") {
    binding_ = Binding::require;
  } else if (channel_binding != "prefer") {
    throw_setting("channel_binding", channel_binding, "is none of disable, prefer and require");
  }
}

bool AuthenticationPolicy::allows(AuthenticationMethod method) const {
  return (allowed_methods_ & bit(method)) != 0;
}

void AuthenticationPolicy::check_request(AuthenticationMethod method) const {
  if (!allows(method)) {
    throw AuthenticationError("the server asks for authentication by " +
                              std::string(name_of(method)) + ", which require_auth forbids");
  }
  if (binding_required() && method != AuthenticationMethod::scram_sha_256) {
    throw AuthenticationError(
        "channel_binding=require, but the server asks for authentication by " +
        std::string(name_of(method)) + ", which can't bind to the TLS channel");
  }
}

void AuthenticationPolicy::check_outcome(bool completed, bool channel_bound) const {
  if (binding_required() && !channel_bound) {
    throw AuthenticationError(
        "channel_binding=require, but the server let us in without binding to the TLS channel");
  }
  if (!completed && !allows(AuthenticationMethod::none)) {
    throw AuthenticationError(
        "the server let us in without completing the authentication that require_auth demands");
  }
}

}  // namespace pgcourier::protocol
