// Show the description of the API. Swagger UI comes with the package fastapi_offline.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null });
