"""The demo page: recognition of writing and speech in a browser.

`serve(app)` answers on the loopback address until Ctrl-C. Features, network and decoder run in
Python; the page captures, draws and sends requests.

    page/        files for the browser: HTML, CSS and JavaScript modules
    server       requests and answers
    connections  limits of time and number of connections
    security     checks of requests
    bodies       contents of requests
    reading      signals into results for the page
    recordings   sound in progress
    examples     synthetic ink as an example
    corpus       ink and sound stored with their text
"""
