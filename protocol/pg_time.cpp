#include "protocol/pg_time.hpp"

#include <charconv>
#include <limits>

namespace pgcourier::protocol {
namespace {

constexpr std::int64_t microseconds_per_second = 1'000'000;
constexpr std::int64_t microseconds_per_day = 86'400 * microseconds_per_second;

struct Date {
  std::int64_t year;  // astronomical
  unsigned month;
  unsigned day;
};

// Proleptic Gregorian, in eras of 400 years that begin on 1 March, so that the leap day comes last.
Date date_of_day(std::int64_t days_since_2000) {
  constexpr std::int64_t days_per_era = 146'097;
  constexpr std::int64_t from_0000_03_01_to_2000_01_01 = 730'425;
  const std::int64_t days = days_since_2000 + from_0000_03_01_to_2000_01_01;
  const std::int64_t era = (days >= 0 ? days : days - (days_per_era - 1)) / days_per_era;
  const auto day_of_era = static_cast<unsigned>(days - era * days_per_era);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned month_from_march = (5 * day_of_year + 2) / 153;
  const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  const std::int64_t year = era * 400 + year_of_era + (month <= 2 ? 1 : 0);
  return {year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1};
}

// Exactly `width` digits.
char* append_digits(char* out, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + width;
}

char* append_year(char* out, std::int64_t year) {
  if (year < 0) {
    *out++ = '-';
    year = -year;
  }
  if (year <= 9999) return append_digits(out, static_cast<unsigned>(year), 4);
  return std::to_chars(out, out + 20, year).ptr;
}

}  // namespace

std::int64_t unix_microseconds(PgTime time) {
  constexpr auto latest = std::numeric_limits<std::int64_t>::max();
  if (time.microseconds > latest - pg_epoch_unix_microseconds) return latest;
  return time.microseconds + pg_epoch_unix_microseconds;
}

std::string to_iso8601(PgTime time) {
  std::int64_t day = time.microseconds / microseconds_per_day;
  std::int64_t in_day = time.microseconds % microseconds_per_day;
  if (in_day < 0) {
    in_day += microseconds_per_day;
    --day;
  }
  const Date date = date_of_day(day);
  const auto second = static_cast<unsigned>(in_day / microseconds_per_second);
  const auto fraction = static_cast<unsigned>(in_day % microseconds_per_second);

  char text[48];
  char* out = append_year(text, date.year);
  *out++ = '-';
  out = append_digits(out, date.month, 2);
  *out++ = '-';
  out = append_digits(out, date.day, 2);
  *out++ = 'T';
  out = append_digits(out, second / 3600, 2);
  *out++ = ':';
  out = append_digits(out, second / 60 % 60, 2);
  *out++ = ':';
  out = append_digits(out, second % 60, 2);
  *out++ = '.';
  out = append_digits(out, fraction, 6);
  *out++ = 'Z';
  return {text, out};
}

}  // namespace pgcourier::protocol
