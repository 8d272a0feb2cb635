/* report_page.h - the page of a report: its figures, and each wrong photo with the maps of what it
 * is and of what it is taken for. Implemented in server/cli/report_page.c. Thread: main, and the
 * context's. */
#ifndef REPORT_PAGE_H
#define REPORT_PAGE_H
#include "evaluation.h"
#include "report_folder.h"

/* The page has fewer bytes than this: photos shrink where there are many, and those that the model
 * was least sure of are left out where there are too many, which the page says. */
enum { REPORT_PAGE_BYTES = 19500000 };

/* Writes the page, for which the wrong photos are read once more. CAM_E_NO_MEMORY, or
 * CAM_E_DEADLINE: a signal came. What could not be written, ferror tells. */
cam_code report_page(FILE *out, const evaluation_terms *terms, const report *about,
                     const report_figures *figures, cam_error *error);

/* The whole way: asks the model about the photos of about->answers, counts, and, where a folder is
 * begun, writes the report and puts it into its place. figures need report_figures_free whatever
 * the code. Errors of evaluate_photos and report_page; CAM_E_IO. */
cam_code report_make(const evaluation_terms *terms, report *about, report_folder *folder,
                     report_figures *figures, cam_error *error);

#endif
